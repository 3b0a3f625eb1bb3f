"""Whole images in windows, as the training's validation predicts them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from seg.inference.sliding_window import SlidingWindow
from seg.training.whole_images import WholeImages

PATCH = (32, 48)


def network(image: Tensor) -> Tensor:
    """Logits (N, 3, H, W) that depend on where a window lies, so that blending shows."""
    ramp = torch.linspace(-1, 1, image.shape[-1])
    return (image - 128) / 64 + ramp


class Softmax:
    def __init__(self, *, each: bool) -> None:
        self.each = each

    def batch(self, images: list) -> list:
        logits = network(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float())
        return list((torch.sigmoid(logits) if self.each else logits.softmax(1)).numpy())

    def probabilities(self, image):
        return self.batch([image])[0]


@pytest.mark.parametrize("size", [(32, 48), (10, 200), (100, 130), (65, 20)])
@pytest.mark.parametrize("overlap", [False, True])
def test_the_decision_is_that_of_the_sliding_window(size: tuple[int, int], overlap: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    windows = SlidingWindow(Softmax(each=overlap), tile=48, network_size=PATCH, pad=True)
    probs = windows.probabilities(image)
    expected = (probs > 0.6).astype(np.int64) if overlap else probs.argmax(0)
    decided = WholeImages(PATCH, 3).predict(
        lambda x: network(x.float()), torch.from_numpy(image).permute(2, 0, 1),
        threshold=0.6, overlap=overlap,
    )  # fmt: skip
    np.testing.assert_array_equal(decided.numpy(), expected)


@pytest.mark.parametrize("planes", [False, True])
def test_each_window_is_given_with_its_target_which_ignores_what_is_beyond(planes: bool) -> None:
    rng, seen = np.random.default_rng(0), []
    target = torch.from_numpy(rng.integers(0, 2, (3, 40, 20) if planes else (40, 20), np.uint8))
    image = torch.zeros(3, 40, 20, dtype=torch.uint8)
    WholeImages(PATCH, 8).predict(
        lambda x: network(x.float()), image, threshold=0.5, overlap=planes, target=target,
        on_windows=lambda logits, there: seen.append((logits, there)),
    )  # fmt: skip
    logits, there = (torch.cat(parts) for parts in zip(*seen, strict=True))
    assert len(logits) == len(there) == 2
    assert there.dtype == torch.int64
    assert torch.equal(there[0][..., :20].to(torch.uint8), target[..., :32, :])
    assert (there[..., 20:] == 255).all()
