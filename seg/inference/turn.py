"""Whose turn it is to compute: one network at a time, whoever calls."""

import threading

# Batches of several threads would divide the cores, and the memory of a GPU, among them. What a
# thread does before and after its turn (resizing) overlaps with the turns of others.
NETWORK = threading.Lock()
