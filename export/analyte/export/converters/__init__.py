"""One format per file: each turns a `Source` into the bytes of a model file."""
