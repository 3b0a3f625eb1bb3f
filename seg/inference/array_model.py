"""A loaded model for Python: arrays in, masks and probabilities out."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from seg.data.formats.pictures import Pixels
from seg.data.images import as_image, read_image
from seg.inference.model import LoadedModel, strips_of
from seg.inference.predictor import NetworkPredictor
from seg.inference.segmentation import segment

ARRAY = Path("the array")  # what messages name


class Model:
    """A trained network, or the mean of several, that predicts arrays.

    Made by `seg.load`. An array is read as an `.npy` file of the same values would be, in training
    and in `seg.predict`: 8 bits as they are, other types through `dataset.window`.

    Attributes:
        classes: names of the foreground classes; index 1 of a mask is the first.
        threshold: above which a probability is foreground: one for all classes, or one for each.
            Of several classes that share no pixels the likeliest is taken instead.
        path: the checkpoint, or the exported file.
    """

    def __init__(self, loaded: LoadedModel, network: NetworkPredictor | None) -> None:
        self.classes = list(loaded.classes)
        self.threshold = loaded.threshold
        self.path = loaded.path
        self._loaded = loaded
        self._network = network

    def predict(self, image: ArrayLike | str | Path) -> NDArray[np.uint8]:
        """The mask of an image, after the model's clean-up.

        Args:
            image: (H, W) or (H, W, C) of any type, with the channels of the training (grey and RGB
                become one another), or a file.

        Returns:
            Class indices (H, W), 0 is background; planes (K, H, W) of 0 and 1 where classes may
            share pixels.

        Raises:
            DataError: the image cannot be used; the message names what is wrong with it.
        """
        pixels = self._read(image)
        strips = strips_of(self._loaded.predictor, pixels)
        return segment(strips, pixels.shape[:2], self._loaded).mask

    def probabilities(self, image: ArrayLike | str | Path) -> NDArray[np.float32]:
        """The probabilities of an image at its own size.

        Args:
            image: as for `predict`.

        Returns:
            (C, H, W) in 0-1: one plane for a single class; background and classes, which add up to
            1; or a plane for each of the classes that may share pixels.

        Raises:
            DataError: as for `predict`.
        """
        return self._loaded.predictor.probabilities(self._read(image))

    @property
    def module(self) -> nn.Sequential:
        """The torch module, normalisation included: images (N, C, H, W), 0-255, to logits.

        `module.model` is the network alone, whose weights `model.pth` holds.

        Raises:
            ValueError: an exported file, or several networks.
        """
        if self._network is None:
            raise ValueError(f"{self.path}: .module is of one run folder or checkpoint alone")
        return nn.Sequential(
            OrderedDict(normalize=self._network.normalize, model=self._network.model)
        )

    def __repr__(self) -> str:
        single = len(self._loaded.members) == 1
        lines = [f"Model {self.path}" if single else f"{len(self._loaded.members)} models"]
        if self._network is not None:
            network = self._network.model
            million = sum(p.numel() for p in network.parameters()) / 1e6
            device = self._network.device
            lines.append(f"{type(network).__name__}, {million:.3g} million parameters, {device}")
        each = ", ".join(f"{t:.4g}" for t in np.atleast_1d(self.threshold))
        rule = "the likeliest" if self._loaded.likeliest else f"above {each}"
        lines.append(f"classes: {', '.join(self.classes)} ({rule})")
        lines.append(f"{self._loaded.preprocessing.channels} channels; {self._loaded.predictor}")
        return "\n  ".join(lines)

    def _read(self, image: ArrayLike | str | Path) -> NDArray:
        pre = self._loaded.preprocessing
        options = {"channels": pre.channels, "window": pre.window}
        if isinstance(image, str | Path):
            return read_image(Path(image), **options)
        values = np.asarray(image)
        if values.ndim == 3 and values.shape[2] == 1:
            values = values[..., 0]
        if values.ndim not in (2, 3):
            raise ValueError(f"an image is (H, W) or (H, W, C), not of shape {values.shape}")
        count = len(pre.image_suffix)
        if count < 2 or values.ndim == 2 or values.shape[2] != pre.channels:
            return as_image(Pixels(values), ARRAY, **options)
        # channels that were files of their own, each with a range of its own
        options["channels"] = None
        files = [Pixels(part.squeeze()) for part in np.split(values, count, axis=2)]
        return np.concatenate([as_image(one, ARRAY, **options) for one in files], axis=2)
