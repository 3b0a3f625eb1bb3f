"""Keys that would have no effect where they are given, and what to do instead."""

from collections.abc import Iterator, Mapping
from typing import Any

# Keys of Lightning's Trainer that seg.train sets itself, or that nothing would come of.
TRAINER = {
    "logger": "logger=tensorboard, csv, wandb or mlflow chooses it",
    "callbacks": "callbacks=early_stopping, lr_monitor, device_stats or your own chooses them",
    "plugins": "trainer.precision and trainer.num_nodes choose them",
    "default_root_dir": "set output_dir",
    "enable_checkpointing": "best.ckpt and last.ckpt are always written; see checkpoints",
    "enable_progress_bar": "there is one on a terminal",
    "enable_model_summary": "there is none",
    "enable_autolog_hparams": "TensorBoard has them",
    "model_registry": "there is none",
    "log_every_n_steps": "figures are of whole epochs",
    "num_sanity_val_steps": "one image is tried before the training",
    "use_distributed_sampler": "ranks share the cases already",
    "benchmark": "it follows the length of the training and trainer.deterministic",
    "limit_predict_batches": "seg.predict takes the images of input=",
    "overfit_batches": "set trainer.limit_train_batches",
    "fast_dev_run": "set trainer.max_epochs=1",
    "barebones": "a run has checkpoints and figures",
}


def of_trainer(cfg: Mapping[str, Any]) -> Iterator[str]:
    """A line for each key of `trainer` that a training does not read."""
    trainer = cfg.get("trainer")
    for key in trainer if isinstance(trainer, Mapping) else ():
        if key == "log_every_n_steps" and cfg.get("callbacks"):  # which may write by step
            continue
        if key in TRAINER:
            yield f"trainer.{key}: seg sets it itself ({TRAINER[key]}); remove the key"


# Keys of `dataset` that an evaluation of another data set reads from the checkpoint instead.
EVALUATED = ("image_size", "channels", "normalize", "overlap")


def of_evaluation(key: str) -> str | None:
    """Why an override of `seg.evaluate` would do nothing; None where it does something."""
    name = key.removeprefix("dataset.")
    if name == key:
        return None
    if name in EVALUATED:
        return f"{key}: seg.evaluate takes it from the checkpoint; remove the key"
    if name == "num_workers":
        return f"{key}: seg.evaluate has no worker processes; remove the key"
    if name.partition(".")[0] == "split":
        return f"{key}: seg.evaluate scores all cases of another data set; remove the key"
    return None


# Keys of `seg.compare` for its figure alone, with their defaults.
OF_FIGURE = {"cases": 4, "root": None, "trust": []}


def of_figures(cfg: Mapping[str, Any]) -> Iterator[str]:
    """A line for each key of `seg.compare` and `seg.predict` that would draw nothing."""
    if cfg.get("overlays") is False and cfg.get("figures") is not None:
        yield "figures: no effect; set overlays=true as well"
    if "figure" not in cfg:
        return
    if cfg["figure"] is None:
        given = [key for key, default in OF_FIGURE.items() if cfg[key] != default]
        yield from (f"{key}: no effect; set figure=cases as well" for key in given)
    elif cfg["datasets"] is not None:
        yield "figure: it shows cases of one data set; remove datasets"
