"""What the bar of a training shows."""

from types import SimpleNamespace

import torch
import torchmetrics

from seg.training import progress


def test_the_bar_shows_the_mean_loss_of_the_epoch_so_far(monkeypatch) -> None:
    monkeypatch.setattr(progress, "REFRESH", -1.0)
    mean = torchmetrics.MeanMetric(nan_strategy="disable")
    module = SimpleNamespace(means=[mean])
    bar = progress.Bar()
    assert bar.get_metrics(None, module) == {}
    mean.update(torch.tensor(1.0))
    mean.update(torch.tensor(0.25))
    assert bar.get_metrics(None, module) == {"loss": "0.6250"}
    mean.reset()  # the end of an epoch
    assert bar.get_metrics(None, module) == {"loss": "0.6250"}


def test_the_loss_is_not_read_after_every_batch() -> None:
    mean = torchmetrics.MeanMetric(nan_strategy="disable")
    mean.update(torch.tensor(1.0), 1)
    bar = progress.Bar()
    assert bar.get_metrics(None, SimpleNamespace(means=[mean])) == {"loss": "1.0000"}
    assert bar.get_metrics(None, SimpleNamespace(means=[])) == {"loss": "1.0000"}
