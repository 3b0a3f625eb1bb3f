"""The figures of an epoch."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from seg.losses.bce import BCELoss
from seg.models.normalize import Normalize
from seg.training.module import SPLITS, SegmentationModule
from seg.training.stages import Stage


def test_the_loss_of_an_epoch_is_the_mean_over_images_where_batches_differ_in_size() -> None:
    module = SegmentationModule(
        model=nn.Conv2d(1, 1, 1),
        normalize=Normalize(mode="unit", mean=[0.0], std=[1.0]),
        stages=[Stage("main", BCELoss(), torch.optim.Adam, None, epochs=1)],
        class_names=["disc"],
        groups=list("abcd"),
        existing=dict.fromkeys(SPLITS, np.array([True])),
    )
    images = torch.arange(4 * 64).view(4, 1, 8, 8).to(torch.uint8)
    masks = (torch.arange(4).view(4, 1, 1) % 2).expand(4, 8, 8).to(torch.uint8)
    for rows in (torch.tensor([0, 1, 2]), torch.tensor([3])):
        module.validation_step({"image": images[rows], "mask": masks[rows], "case": rows}, 0)
    expected = F.binary_cross_entropy_with_logits(module(images)[:, 0], masks.float())
    torch.testing.assert_close(module.means[1].compute(), expected.detach())
