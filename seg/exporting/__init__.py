"""A checkpoint to files that need no `seg`: the network with its preparation, or its weights."""
