"""The mean loss of an epoch."""

import torch
import torchmetrics

from seg.metrics.mean_loss import MeanLoss


def test_it_equals_torchmetrics_in_every_digit() -> None:
    ours, theirs = MeanLoss(), torchmetrics.MeanMetric()
    generator = torch.Generator().manual_seed(0)
    for images in (16, 16, 7, 13, 1, 5):
        loss = torch.rand((), generator=generator)
        ours.update(loss, images)
        theirs.update(loss.expand(images))
    assert torch.equal(ours.compute(), theirs.compute())


def test_without_an_image_there_is_no_mean() -> None:
    assert torch.isnan(MeanLoss().compute())
