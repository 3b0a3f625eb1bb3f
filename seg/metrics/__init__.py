"""Metrics: counts of every case first, from which every figure is derived."""
