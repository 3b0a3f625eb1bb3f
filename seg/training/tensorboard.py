"""TensorBoard's graph, and HParams with the final figures."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from seg.runs import failures
from seg.runs.folder import MONITOR, RunFolder
from seg.training.hyperparameters import Flat, columns

log = logging.getLogger(__name__)

BEST = f"best/{MONITOR}"
# Written for every run, also where a run has none of them: TensorBoard's table has the columns of
# the first run that it reads.
FIGURES = (BEST, "test/dice", "test/iou", "test/precision", "test/recall", "test/dice_pooled")
EVENT_FILES = "events.out.tfevents.*"
OVERVIEW = {
    MONITOR: "Overview/1 Dice, validation",
    "train/loss": "Overview/2 loss, training",
    "val/loss": "Overview/3 loss, validation",
}
FIRST = ("model", "loss", "optimizer.lr")  # columns of HParams
SESSION_END = "_hparams_/session_end_info"


class EventFile(TensorBoardLogger):
    """Lightning's logger for the event file in the run folder.

    The file is open from before the training until after the test, and HParams come at its end:
    so what Lightning does at the start and the end of each is left out.

    Args:
        writer: of the file; None on further ranks.
    """

    def __init__(self, writer: SummaryWriter | None = None) -> None:
        super().__init__("" if writer is None else writer.log_dir, name="", version="")
        self._experiment = writer

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add scalars; those to look at first also in a group that TensorBoard shows first."""
        first = {new: metrics[name] for name, new in OVERVIEW.items() if name in metrics}
        super().log_metrics({**metrics, **first}, step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...

    @rank_zero_only
    def save(self) -> None:
        self.experiment.flush()

    def finalize(self, status: str) -> None: ...


def log_picture(logger: Logger, name: str, picture: NDArray, step: int) -> None:
    """Hand a picture to a logger that takes any.

    Args:
        name: the tag.
        picture: (H, W, 3) uint8.
        step: the epoch.
    """
    if hasattr(logger, "log_image"):  # Weights & Biases
        logger.log_image(name, [picture], step=step)
    elif hasattr(logger.experiment, "add_image"):  # TensorBoard
        logger.experiment.add_image(name, picture, step, dataformats="HWC")
    logger.save()


@rank_zero_only
def add_graph(writer: SummaryWriter | None, model: nn.Module, image: torch.Tensor) -> None:
    """Add the model's graph, traced with one normalised image (1, C, H, W), if there is a file."""
    if writer is None:
        return
    training = model.training
    model.eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of each Python condition on a shape
            # not checked, which would trace it a second time and compare
            writer.add_graph(torch.jit.trace(model, image, check_trace=False), image)
    except RuntimeError as error:  # a model that cannot be traced can still be trained
        log.info("no graph for TensorBoard: %s", str(error).splitlines()[0])
    finally:
        model.train(training)


def add_hparams(
    writer: SummaryWriter,
    values: Flat,
    figures: Mapping[str, float],
    *,
    epoch: int,
    name: str = "",
    succeeded: bool = True,
) -> None:
    """Add hyperparameters and the final figures to the run's own event file.

    `SummaryWriter.add_hparams` would open a second file in a folder below, which TensorBoard shows
    as another run.

    Args:
        values: as `hyperparameters.columns` gives them.
        figures: by tag, such as `best/val/dice`; those of `FIGURES` are added.
        epoch: of the best weights, whose figures they are.
        name: of the run folder; keys in the name of a sweep's job are among the first columns.
        succeeded: the status that TensorBoard shows.
    """
    experiment, start, end = hparams(values, dict.fromkeys(FIGURES, 0.0))
    _put_first(experiment, [key for key in values if key in FIRST or f"{key}=" in name])
    if not succeeded:
        _set_failed(end)
    for summary in (experiment, start, end):
        writer.file_writer.add_summary(summary)
    for tag in FIGURES:
        if tag in figures:
            writer.add_scalar(tag, figures[tag], epoch)
    writer.flush()


def _put_first(experiment: Any, names: Sequence[str]) -> None:
    """Mark columns as those that differ, which TensorBoard shows before all others."""
    plugin = experiment.value[0].metadata.plugin_data
    data = plugin_data_pb2.HParamsPluginData.FromString(plugin.content)
    for info in data.experiment.hparam_infos:
        info.differs = info.name in names
    plugin.content = data.SerializeToString()


def _set_failed(end: Any) -> None:
    plugin = end.value[0].metadata.plugin_data
    data = plugin_data_pb2.HParamsPluginData.FromString(plugin.content)
    data.session_end_info.status = api_pb2.STATUS_FAILURE
    plugin.content = data.SerializeToString()


@contextmanager
def event_file(run: RunFolder) -> Iterator[SummaryWriter | None]:
    """A run's writer; None on further ranks, and without `logger=tensorboard`.

    After an error HParams hold the figures so far.
    """
    if rank_zero_only.rank != 0 or not _is_chosen(run.config):
        yield None
        return
    writer = SummaryWriter(str(run.path))
    try:
        yield writer
        writer.close()
    except BaseException as error:
        try:
            writer.close()
            add_hparams_of(run.path)
        except OSError as second:  # a full disk: what ended the run matters more
            log.error("no HParams for TensorBoard: %s", second)
        full = failures.full_disk(error)
        if full is not None and full.filename is None:  # atomic.py names every other file
            path = str(max(run.path.glob(EVENT_FILES)))
            raise OSError(full.errno, full.strerror, path) from error
        raise


def add_hparams_of(path: Path, *, instead: Mapping[str, Any] | None = None) -> None:
    """Add HParams, from its files, to the run folder of a process that cannot do it any more.

    Nothing is added where HParams with the same figures are there already.

    Args:
        path: the run folder.
        instead: the configuration where there is no config.yaml, as of a job that could not start.
    """
    run = RunFolder(path)
    if not (run.config_path.is_file() or instead) or not _is_chosen(run.config or instead or {}):
        return  # it ended before there was anything to show
    scores = [score for _, score in run.curve(MONITOR)]
    figures = {BEST: max(scores)} if scores else {}
    if run.test is not None:
        figures |= {f"test/{name}": figure.value for name, figure in run.test.metrics.items()}
    before = _stored_figures(path)
    shown = {name: figures[name] for name in FIGURES if name in figures}
    if before is not None and all(before.get(k) == np.float32(v) for k, v in shown.items()):
        return
    with SummaryWriter(str(path)) as writer:
        epoch = run.best_epoch or 0
        add_hparams(
            writer,
            columns_of(run, instead=instead),
            figures,
            epoch=epoch,
            name=path.name,
            succeeded=False,
        )


def _is_chosen(config: Mapping[str, Any]) -> bool:
    """Whether a run has an event file; those of earlier versions do."""
    return "tensorboard" in (config.get("logger", ["tensorboard"]) or ())


def columns_of(run: RunFolder, *, instead: Mapping[str, Any] | None = None) -> Flat:
    """The hyperparameters of a run for HParams. `instead`: of its configuration, as above."""
    facts = run.facts
    return columns(run.config or instead or {}, facts.get("choices"), facts.get("overrides"))


def _stored_figures(path: Path) -> dict[str, np.float32] | None:
    """The figures beside the HParams in the event files; None if there are no HParams."""
    # here, since it imports what reads files in the cloud, where that is installed
    from tensorboard.backend.event_processing.event_file_loader import (  # noqa: PLC0415
        EventFileLoader,
    )

    has_hparams, figures = False, {}
    for file in sorted(path.glob(EVENT_FILES)):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                has_hparams |= value.tag == SESSION_END
                if value.tag == BEST or value.tag.startswith("test/"):
                    figures[value.tag] = np.float32(value.tensor.float_val[0])
    return figures if has_hparams else None
