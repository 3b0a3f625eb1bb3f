"""What TensorBoard needs beside scalars and panels: the graph, and HParams with the final
figures.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from seg.metrics.overlap import METRICS
from seg.training.epoch_log import read_rows
from seg.training.module import MONITOR

log = logging.getLogger(__name__)

BEST = f"best/{MONITOR}"
# Named for every run, also where a run has none of them: TensorBoard's table has the columns of the
# first run that it finds.
FIGURES = (BEST, *(f"test/{name}{kind}" for kind in ("", "_pooled") for name in METRICS))
SESSION_END = "_hparams_/session_end_info"


def add_graph(writer: SummaryWriter, model: nn.Module, image: torch.Tensor) -> None:
    """The model's graph, traced with one normalised image (1, C, H, W)."""
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


# Where a run lay and how it was started says nothing about what was trained.
LEFT_OUT = frozenset(
    """
    by_hand cache_dir checkpoints ignore_value init_from kaggle mirrors num_workers output_dir
    panels_every resume root sha256 url
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
            elif key not in LEFT_OUT and not str(key).startswith("_"):
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
    """The configuration beside the final figures, in the run's own event file.

    `SummaryWriter.add_hparams` would open a second one in a folder below, which shows as a run of
    its own. succeeded: TensorBoard shows a run's status beside its figures.
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
def event_file(folder: Path) -> Iterator[SummaryWriter]:
    """A run's writer; where the run ends with an error, HParams say how far it had come."""
    writer = SummaryWriter(str(folder))
    try:
        yield writer
    except BaseException:
        try:
            writer.close()
            add_hparams_of(folder)
        except OSError as error:  # a full disk: what ended the run matters more
            log.error("no HParams for TensorBoard: %s", error)
        raise
    writer.close()


def add_hparams_of(folder: Path, *, instead: Mapping[str, Any] | None = None) -> None:
    """HParams for a run folder whose process cannot write them any more, from its files.

    Adds an event file with config.yaml, the best val/dice of metrics.csv and the figures of
    test.json, unless there are HParams with the same figures already. instead: told where there is
    no config.yaml, of a job that could not start.
    """
    path = folder / "config.yaml"
    if not path.is_file() and not instead:
        return  # it ended before there was anything to tell
    figures = _figures(folder)
    told = _told(folder)
    if told is not None and all(told.get(k) == np.float32(v) for k, v in figures.items()):
        return
    config = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else instead
    with SummaryWriter(str(folder)) as writer:
        add_hparams(writer, config or {}, figures, succeeded=False)


def _figures(folder: Path) -> dict[str, float]:
    scores = [float(row[MONITOR]) for row in read_rows(folder / "metrics.csv") if row.get(MONITOR)]
    figures = {BEST: max(scores)} if scores else {}
    path = folder / "test.json"
    if path.is_file():
        metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
        figures |= {f"test/{name}": figure["value"] for name, figure in metrics.items()}
    return figures


def _told(folder: Path) -> dict[str, np.float32] | None:
    """The figures beside the HParams that the event files hold; None if there are no HParams."""
    found, figures = False, {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found |= value.tag == SESSION_END
                if value.tag == BEST or value.tag.startswith("test/"):
                    figures[value.tag] = np.float32(value.tensor.float_val[0])
    return figures if found else None
