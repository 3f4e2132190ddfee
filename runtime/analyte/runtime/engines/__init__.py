"""What runs a model file: one engine per file, behind one protocol."""
