"""Progress bars on a terminal, for downloads, the reading of data and the training."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.callbacks.progress.rich_progress import RichProgressBarTheme
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
    track,
)

FEW = 200  # steps that need no bar
REFRESH = 0.5  # seconds between two readings of the loss


def on_terminal() -> bool:
    return sys.stderr.isatty()


def with_bar(steps: Iterator, total: int, label: str) -> Iterator:
    """The same steps, with a bar where there is a terminal and enough of them."""
    if total < FEW or not on_terminal():
        return steps
    console = Console(stderr=True)
    return track(steps, description=label, total=total, console=console, transient=True)


@contextmanager
def download_bar() -> Iterator[Callable[[int, int | None], None] | None]:
    """A function that moves a bar, called with (bytes so far, bytes in all or None); None where
    there is no terminal.
    """
    if not on_terminal():
        yield None
        return
    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("download", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class Bar(RichProgressBar):
    """Lightning's bar, for the batches of the present epoch; the lines above it are the others."""

    def __init__(self) -> None:
        super().__init__(leave=False, theme=RichProgressBarTheme(), console_kwargs={"stderr": True})
        self._loss: dict[str, str] = {}
        self._read = 0.0

    def _get_train_description(self, current_epoch: int) -> str:
        return f"epoch {current_epoch + 1}/{self.trainer.max_epochs}"

    # The test takes seconds, and its bar would stay on the screen above the table.
    def on_test_batch_start(self, *args: object, **kwargs: object) -> None: ...

    def on_test_batch_end(self, *args: object, **kwargs: object) -> None: ...

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, str]:
        """The mean training loss of the epoch so far."""
        if time.monotonic() - self._read > REFRESH:  # a GPU is waited for to read it
            mean = pl_module.means[0]
            if mean.weight > 0:  # else the epoch is over, and its last value stays
                self._loss = {"loss": f"{float(mean.mean_value / mean.weight):.4f}"}
            self._read = time.monotonic()
        return self._loss
