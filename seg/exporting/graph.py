"""A network with all that stands before and after it, as one module."""

import torch
from torch import Tensor, nn

from seg.exporting.components import cleaned
from seg.exporting.resizing import bytes_to_size, linear_weights
from seg.inference.model import LoadedModel


class Graph(nn.Module):
    """What `inference` makes of an image and a checkpoint, in one forward pass."""

    def __init__(self, network: LoadedModel) -> None:
        super().__init__()
        self.normalize = network.predictor.normalize
        # a predictor's weights are channels last in memory, which would be traced as well
        self.model = network.predictor.model.to(memory_format=torch.contiguous_format)
        self.height, self.width = network.preprocessing.size
        self.threshold = network.threshold
        self.classes = list(network.classes)
        self.steps = {key: list(names) for key, names in network.postprocess.items()}

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """image: (N, H, W, C) uint8, of any N, H and W.

        Returns the mask (N, H, W), uint8 class indices, and the probabilities (N, K, H, W),
        float32, both at the image's own size. K is 1 for a single class, else background and the
        classes.
        """
        height, width = image.shape[1:3]
        small = bytes_to_size(image.permute(0, 3, 1, 2), self.height, self.width)
        logits = self.model(self.normalize(small)).float()
        one = logits.shape[1] == 1
        probs = torch.sigmoid(logits) if one else torch.softmax(logits, dim=1)
        probs = probs @ linear_weights(self.width, width).T  # (N, K, h, W)
        probs = (linear_weights(self.height, height) @ probs).clamp(0, 1)
        mask = (probs[:, 0] > self.threshold).to(torch.int64) if one else probs.argmax(1)
        return cleaned(mask, self.steps, self.classes).to(torch.uint8), probs
