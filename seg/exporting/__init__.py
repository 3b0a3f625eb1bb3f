"""A checkpoint to files that need no `seg`: a graph with all that stands around the network, or its
weights.
"""
