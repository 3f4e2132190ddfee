"""Where frames come from: one kind of source per file, behind one protocol."""
