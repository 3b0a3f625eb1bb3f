"""The loggers of a training, which `logger=` chooses."""

import inspect
from collections.abc import Mapping, Sequence

from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from torch.utils.tensorboard import SummaryWriter

from seg.cli.compose import plain
from seg.cli.make import make
from seg.runs.run import Run
from seg.training.hyperparameters import hyperparameters
from seg.training.tensorboard import EventFile, add_hparams, columns_of
from seg.trust import import_target

IDENTITY = ("id", "run_id", "experiment_key")  # under which services know a run


def build_loggers(cfg: DictConfig, run: Run, writer: SummaryWriter | None) -> list[Logger]:
    """Lightning's loggers; a service goes on with the run that it has if this one is resumed.

    Args:
        cfg: runs of earlier versions have no `logger`, and write an event file.
        run: its folder is where a logger writes that is given no `save_dir`; run.json remembers
            under which names services know the run.
        writer: of the event file; None if there is none, and on further ranks.
    """
    content = plain(cfg)
    nodes = content["logger"] or {} if "logger" in content else {"tensorboard": None}
    known, loggers = dict(run.facts.get("loggers") or {}), []
    for name, node in nodes.items():
        if node is None or node["_target_"] == f"{EventFile.__module__}.EventFile":
            loggers.append(EventFile(writer))
            continue
        parameters = inspect.signature(import_target(node["_target_"])).parameters
        more = {} if "save_dir" in node or "save_dir" not in parameters else {"save_dir": run.path}
        key = next((key for key in IDENTITY if key in parameters and node.get(key) is None), None)
        if key is not None:
            more[key] = known.get(name)
        logger = make(node, **more)
        if name not in known:  # of a resumed run MLflow lets no value change, such as more epochs
            logger.log_hyperparams(hyperparameters(run.config))
        if key is not None:
            known[name] = logger.version
        loggers.append(logger)
    if known:
        run.record(loggers=known)
    return loggers


def finish_loggers(
    loggers: Sequence[Logger],
    run: Run,
    figures: Mapping[str, float],
    *,
    epoch: int,
) -> None:
    """Hand the final figures to the loggers, and end those that upload.

    Args:
        run: that has ended.
        figures: by tag, such as `best/val/dice` and `test/dice`.
        epoch: of the best weights.
    """
    for logger in loggers:
        if isinstance(logger, EventFile):
            add_hparams(
                logger.experiment, columns_of(run), figures, epoch=epoch, name=run.path.name
            )
            continue
        logger.log_metrics(dict(figures), step=epoch)
        logger.finalize("success")
        if hasattr(logger.experiment, "finish"):  # Weights & Biases: the next run is another one
            logger.experiment.finish()
