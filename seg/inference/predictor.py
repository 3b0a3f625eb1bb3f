"""A network as a predictor: an image at its own size to probabilities at its own size."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from seg.data.preprocess import image_to_size
from seg.inference.threads import NETWORK, divided, each

AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
# Images of a thread of a CPU. Each call casts all weights anew: for one image, up to half the time.
WITH_ONE_CAST = 4
CAST = {"bf16-true": torch.bfloat16, "64": torch.float64, "64-true": torch.float64}


def device_of(accelerator: str) -> str:
    """Torch's name for an accelerator of Lightning's."""
    return "cpu" if accelerator == "cpu" else "cuda" if torch.cuda.is_available() else "mps"


class NetworkPredictor:
    """Resizes images as training does, runs the network, and resizes its probabilities back.

    Args:
        model: (N, C, H, W) to logits (N, K, H, W).
        normalize: stored image, 0-255, to the model's input.
        size: (height, width) of the network's input; None takes every image at its own size,
            one at a time.
        overlap: whether each channel is a class that may share pixels with the others.
        device: where the network runs.
        precision: in Lightning's words; 32 is full precision, on a GPU without TF32.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        normalize: nn.Module,
        size: tuple[int, int] | None,
        overlap: bool = False,
        device: str | torch.device = "cpu",
        precision: str = "32-true",
    ) -> None:
        self.device = torch.device(device)
        self.dtype = CAST.get(precision, torch.float32)
        self.autocast = AUTOCAST.get(precision)
        self.model = model.eval().to(self.device, self.dtype, memory_format=torch.channels_last)
        self.normalize = normalize.eval().to(self.device)
        self.size = size
        self.overlap = overlap

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        """The probabilities (K, H, W) of an image (H, W, C), 0-255."""
        return self.batch([image])[0]

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """The probabilities of several images of any size.

        On a GPU those of one input size go through the network together. Libraries choose their
        algorithms by the shape of a batch: results agree with those of single images to rounding
        (some 1e-6 in full precision). On a CPU each image is computed by itself (`threads.each`),
        in mixed precision `WITH_ONE_CAST` of them.
        """
        if self.device.type == "cpu" and divided(len(images)):
            step = 1 if self.autocast is None or self.size is None else WITH_ONE_CAST
            parts = [images[i : i + step] for i in range(0, len(images), step)]
            done = each(lambda part: self._together(part, nullcontext()), parts)
            return [probs for part in done for probs in part]
        if self.size is None:
            return [self._together([image], NETWORK)[0] for image in images]
        return self._together(images, NETWORK)

    def _together(
        self, images: Sequence[NDArray], turn: AbstractContextManager
    ) -> list[NDArray[np.float32]]:
        inputs = np.stack(  # (N, h, w, C)
            [image_to_size(image, self.size or image.shape[:2]) for image in images]
        )
        probs = self._network(torch.from_numpy(inputs).permute(0, 3, 1, 2), turn)
        return [_to_size(one, image.shape[:2]) for one, image in zip(probs, images, strict=True)]

    def _network(self, images: torch.Tensor, turn: AbstractContextManager) -> NDArray[np.float32]:
        autocast = nullcontext()
        if self.autocast is not None:
            autocast = torch.autocast(self.device.type, self.autocast)
        cudnn = nullcontext()  # its flags are the process's: threads would undo one another's
        on_gpu = self.device.type == "cuda"
        if on_gpu:
            cudnn = torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=True, allow_tf32=False
            )
            images = images.pin_memory()  # copies from and to it need not be waited for
        with turn, torch.no_grad(), autocast, cudnn:
            images = images.to(self.device, non_blocking=on_gpu)
            logits = self.model(self.normalize(images).to(self.dtype)).float()  # (N, K, h, w)
            each = self.overlap or logits.shape[1] == 1
            probs = torch.sigmoid(logits) if each else torch.softmax(logits, dim=1)
            probs = probs.to("cpu", non_blocking=on_gpu)
            done = torch.cuda.current_stream(self.device).record_event() if on_gpu else None
        if done is not None:  # not within the turn: the next batch is sent meanwhile
            done.synchronize()
        return probs.numpy()


def _to_size(probs: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """(K, h, w) to (K, *size), bilinear with pixel centres aligned; NaN stays NaN."""
    if probs.shape[1:] == size:
        return probs
    resized = np.empty((len(probs), *size), dtype=np.float32)
    for one, target in zip(probs, resized, strict=True):
        cv2.resize(one, size[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
    return np.clip(resized, 0, 1, out=resized)  # rounding may leave the range
