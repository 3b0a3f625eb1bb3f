"""One table of counts per case first; every figure is derived from it."""
