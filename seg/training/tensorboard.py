"""TensorBoard's graph, and HParams with the final figures."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.utilities import rank_zero_only
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from seg.metrics.overlap import METRICS
from seg.runs import failures
from seg.runs.folder import MONITOR, RunFolder

log = logging.getLogger(__name__)

BEST = f"best/{MONITOR}"
# Written for every run, also where a run has none of them: TensorBoard's table has the columns of
# the first run that it reads.
FIGURES = (BEST, *(f"test/{name}{kind}" for kind in ("", "_pooled") for name in METRICS))
EVENT_FILES = "events.out.tfevents.*"
SESSION_END = "_hparams_/session_end_info"


@rank_zero_only
def add_graph(writer: SummaryWriter, model: nn.Module, image: torch.Tensor) -> None:
    """Add the model's graph, traced with one normalised image (1, C, H, W)."""
    training = model.training
    model.eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of each Python condition on a shape
            writer.add_graph(model, image)
    except RuntimeError as error:  # a model that cannot be traced can still be trained
        log.info("no graph for TensorBoard: %s", str(error).splitlines()[0])
    finally:
        model.train(training)


# Where a run lies and how it was started says nothing about what was trained.
EXCLUDED = frozenset(
    """
    by_hand cache_dir checkpoints ignore_value init_from init_from_partial kaggle mirrors
    num_workers output_dir panels_every resume root sha256 url
    """.split()  # noqa: SIM905
)


def hyperparameters(node: Any, prefix: str = "") -> dict[str, bool | int | float | str]:
    """A configuration as columns of HParams: dotted keys, and `_target_` as the class's own name.

    A list of targets becomes their names: `loss.losses: BCELoss, DiceLoss`.
    """
    if isinstance(node, Mapping):
        flat: dict[str, bool | int | float | str] = {}
        for key, value in node.items():
            if key == "_target_":
                flat[prefix] = value.rpartition(".")[2]
            elif key not in EXCLUDED and not str(key).startswith("_"):
                flat |= hyperparameters(value, f"{prefix}.{key}" if prefix else str(key))
        return flat
    if isinstance(node, list) and node and all(isinstance(n, Mapping) for n in node):
        return {prefix: ", ".join(str(n.get("_target_", n)).rpartition(".")[2] for n in node)}
    return {prefix: node if isinstance(node, bool | int | float | str) else str(node)}


def add_hparams(
    writer: SummaryWriter,
    config: Mapping[str, Any],
    figures: Mapping[str, float],
    *,
    succeeded: bool = True,
) -> None:
    """Add the configuration and the final figures to the run's own event file.

    `SummaryWriter.add_hparams` would open a second file in a folder below, which TensorBoard shows
    as another run.

    Args:
        figures: by tag, such as `best/val/dice`.
        succeeded: the status that TensorBoard shows.
    """
    columns = {**figures, **{name: 0.0 for name in FIGURES if name not in figures}}
    experiment, start, end = hparams(hyperparameters(config), columns)
    if not succeeded:
        _set_failed(end)
    for summary in (experiment, start, end):
        writer.file_writer.add_summary(summary)
    for name, value in figures.items():
        writer.add_scalar(name, value, 0)
    writer.flush()


def _set_failed(end: Any) -> None:
    plugin = end.value[0].metadata.plugin_data
    data = plugin_data_pb2.HParamsPluginData.FromString(plugin.content)
    data.session_end_info.status = api_pb2.STATUS_FAILURE
    plugin.content = data.SerializeToString()


@contextmanager
def event_file(run: RunFolder) -> Iterator[SummaryWriter | None]:
    """A run's writer, None on further ranks. After an error HParams hold the figures so far."""
    if rank_zero_only.rank != 0:
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
    if not run.config_path.is_file() and not instead:
        return  # it ended before there was anything to show
    scores = [score for _, score in run.curve(MONITOR)]
    figures = {BEST: max(scores)} if scores else {}
    if run.test is not None:
        figures |= {f"test/{name}": figure.value for name, figure in run.test.metrics.items()}
    before = _stored_figures(path)
    if before is not None and all(before.get(k) == np.float32(v) for k, v in figures.items()):
        return
    with SummaryWriter(str(path)) as writer:
        add_hparams(writer, run.config or instead or {}, figures, succeeded=False)


def _stored_figures(path: Path) -> dict[str, np.float32] | None:
    """The figures beside the HParams in the event files; None if there are no HParams."""
    has_hparams, figures = False, {}
    for file in sorted(path.glob(EVENT_FILES)):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                has_hparams |= value.tag == SESSION_END
                if value.tag == BEST or value.tag.startswith("test/"):
                    figures[value.tag] = np.float32(value.tensor.float_val[0])
    return figures if has_hparams else None
