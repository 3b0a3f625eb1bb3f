"""A network with its preparation and postprocessing as one module."""

import torch
from torch import Tensor, nn

from seg.exporting.components import clean_up
from seg.exporting.resizing import bytes_to_size, linear_weights
from seg.inference.model import LoadedModel


class Graph(nn.Module):
    """Image to mask and probabilities, as `inference` makes them of a checkpoint."""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        self.normalize = model.predictor.normalize
        # a predictor's weights are channels last in memory, which would be traced as well
        self.model = model.predictor.model.to(memory_format=torch.contiguous_format)
        # a network of patches takes windows of their size alone: resized, they would mislead it
        self.resizes = model.preprocessing.patch is None
        self.height, self.width = model.preprocessing.network_size
        self.threshold = model.threshold
        self.overlap = model.overlap
        self.classes = list(model.classes)
        self.steps = {key: list(names) for key, names in model.postprocess.items()}

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Predict images at their own size, or windows.

        Args:
            image: (N, H, W, C) uint8, of any N, H and W; windows have the size of a patch.

        Returns:
            Class indices (N, H, W) uint8, or planes (N, K, H, W) of classes that may share pixels,
            and probabilities (N, K, H, W) float32; K = 1 for one class, else background and the
            classes, or the classes alone where they may share pixels.
        """
        height, width = image.shape[1:3]
        small = image.permute(0, 3, 1, 2)
        if self.resizes:
            small = bytes_to_size(small, self.height, self.width)
        logits = self.model(self.normalize(small)).float()
        each = self.overlap or logits.shape[1] == 1
        probs = torch.sigmoid(logits) if each else torch.softmax(logits, dim=1)
        if self.resizes:
            probs = probs @ linear_weights(self.width, width).T  # (N, K, h, W)
            probs = (linear_weights(self.height, height) @ probs).clamp(0, 1)
        if self.overlap:
            above = torch.tensor(self.threshold, dtype=torch.float32).reshape(-1, 1, 1)
            mask = (probs > above).to(torch.int64)
        elif each:
            mask = (probs[:, 0] > self.threshold).to(torch.int64)
        else:
            mask = probs.argmax(1)
        return clean_up(mask, self.steps, self.classes).to(torch.uint8), probs
