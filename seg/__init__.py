"""Train, compare and ship 2-D segmentation networks for medical images."""

__version__ = "0.1.0"
