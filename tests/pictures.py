"""Trainings and evaluations without their pictures, which are more than half of their time."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest


@contextmanager
def no_pictures() -> Iterator[None]:
    """This process and its forks draw none, nor TensorBoard's graph. Decorates a function, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seg.report.panels.draw", lambda *_, **__: np.zeros((8, 8, 3), np.uint8))
        patch.setattr("seg.report.curves.draw", lambda *_, **__: None)
        patch.setattr("seg.report.diagnostics.draw", lambda *_, **__: None)
        patch.setattr("seg.training.tensorboard.add_graph", lambda *_: None)
        yield
