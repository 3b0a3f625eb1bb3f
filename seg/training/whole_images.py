"""Whole images while a network is trained on patches: in windows, as predictions are made later."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from seg.data import windows
from seg.data.masks import IGNORE
from seg.losses.target import probabilities
from seg.metrics.cases import decide_probabilities

Forward = Callable[[Tensor], Tensor]  # images (N, C, H, W) to logits (N, K, H, W)
# logits and target (N, h, w) of some windows
OnWindows = Callable[[Tensor, Tensor], None]
# probabilities (K, h, W) of some rows, and the target there
OnStrip = Callable[[Tensor, Tensor], None]


@dataclass(frozen=True)
class WholeImages:
    """Predicts images of any size in windows of the size of a training patch.

    The windows and their blending are those of `inference.SlidingWindow`, so that the figures of
    the validation are those that a later evaluation gives. All of it stays on the images' device.

    Args:
        patch: (height, width) of a window.
        batch_size: windows that are predicted together.
        on_strip: gets the probabilities of each strip whose target is known.
    """

    patch: tuple[int, int]
    batch_size: int
    on_strip: OnStrip | None = None

    def predict(
        self,
        forward: Forward,
        image: Tensor,
        *,
        threshold: float,
        overlap: bool = False,
        target: Tensor | None = None,
        on_windows: OnWindows | None = None,
    ) -> Tensor:
        """Class indices (H, W) of one image, or planes (K, H, W).

        Args:
            forward: the network, normalisation included.
            image: (C, H, W) as stored, 0-255.
            threshold: on the probability of a single class, or of each.
            overlap: whether classes may share pixels.
            target: (H, W) class indices or (K, H, W) planes, 255 ignored; for `on_windows` and
                `on_strip`.
            on_windows: gets what the network gives for some windows, and the target there.
        """
        pixels, size = image.movedim(0, -1), tuple(image.shape[1:])  # (H, W, C)
        tops, lefts = (
            windows.starts(length, tile=side, network=side)
            for length, side in zip(size, self.patch, strict=True)
        )
        corners = [(y, x) for y in tops for x in lefts]

        def predicted():
            for first in range(0, len(corners), self.batch_size):
                some = corners[first : first + self.batch_size]
                cut = [windows.cut(pixels, corner, self.patch) for corner in some]
                logits = forward(torch.stack(cut).movedim(-1, 1))  # channels last in memory
                if on_windows is not None and target is not None:
                    on_windows(logits, self._targets(target, some))
                yield from probabilities(logits, planes=overlap)

        decided = []
        for row, strip in windows.blended(
            predicted(), tops=tops, lefts=lefts, tile=self.patch, size=size
        ):
            decided.append(decide_probabilities(strip, threshold, overlap=overlap))
            if self.on_strip is not None and target is not None:
                self.on_strip(strip, target[..., row : row + strip.shape[-2], :])
        return torch.cat(decided, dim=-2)

    def _targets(self, target: Tensor, corners: list[tuple[int, int]]) -> Tensor:
        """(N, h, w) class indices, or (N, K, h, w) planes."""
        pixels = target if target.ndim == 2 else target.movedim(0, -1)  # (H, W, K)
        cut = [windows.cut_mask(pixels, corner, self.patch, fill=IGNORE) for corner in corners]
        stacked = torch.stack(cut).long()
        return stacked if target.ndim == 2 else stacked.movedim(-1, 1)
