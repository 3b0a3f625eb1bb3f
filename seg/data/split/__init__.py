"""Which case goes into which split: drawn, read from a file, and checked for leakage."""
