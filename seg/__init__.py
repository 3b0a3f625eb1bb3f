"""Train, compare and ship 2-D segmentation networks for medical images."""

from seg import broken_torchvision

__version__ = "0.1.0"

broken_torchvision.watch()
