"""Network architectures, one per file; `registry` lists them."""
