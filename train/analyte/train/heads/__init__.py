"""Heads: how features become a value, one per file; `registry` lists them."""
