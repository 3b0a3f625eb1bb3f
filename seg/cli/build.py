"""The objects of a run, made from a configuration: data, module, trainer."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from seg.cli import compose
from seg.cli.signatures import DOWNLOAD, LOADING
from seg.data.datamodule import SegmentationDataModule
from seg.data.preprocess import Preprocessing, preprocessing
from seg.data.sources import Source
from seg.models.normalize import Normalize
from seg.report import panels
from seg.runs import distributed
from seg.training import checkpoint, progress, weights
from seg.training import hardware as precision
from seg.training.epoch_log import EpochLog
from seg.training.module import MONITOR, SegmentationModule
from seg.training.panels import Panels, fixed_cases
from seg.training.preemption import PreemptionCheckpoint, StepCheckpoint
from seg.training.stages import NextStage, Stage
from seg.training.stopping import Stopping

PANEL_ROWS = 5


def build_source(cfg: DictConfig) -> Source:
    """The data set, from those keys of `dataset` that its signature names."""
    node = compose.plain(cfg.dataset)
    return instantiate(
        {k: v for k, v in node.items() if k not in LOADING | DOWNLOAD}, _convert_="all"
    )


def build_preprocessing(cfg: DictConfig, source: Source) -> Preprocessing:
    """How the data set's files become arrays."""
    node = compose.plain(cfg.dataset)
    return preprocessing(
        **{key: node[key] for key in ("image_size", "channels", "window")},
        classes=source.classes,
        ignore_value=source.ignore_value,
    )


def require_data(node: DictConfig, source: Source) -> None:
    """Raises FileNotFoundError with the way to get the data, where there are none."""
    if source.root.is_dir() and any(source.root.iterdir()):
        return
    ways = [f"{key} {node[key]}" for key in ("url", "kaggle") if node.get(key)]
    if not ways and not node.get("by_hand"):
        return  # the source says what it has looked for
    choice = HydraConfig.get().runtime.choices.dataset if HydraConfig.initialized() else "NAME"
    lines = [f"dataset.root={source.root}: no data there"]
    lines += [f"python -m seg.prepare dataset={choice} downloads them ({w})" for w in ways]
    lines += [node.by_hand] if node.get("by_hand") else []
    raise FileNotFoundError("\n  ".join([*lines, "or set dataset.root to where they are"]))


def build_data(cfg: DictConfig, hardware: precision.Hardware) -> SegmentationDataModule:
    """The source gets the keys that its signature names, the data module the others."""
    node = compose.plain(cfg.dataset)
    loading = {k: v for k, v in node.items() if k in LOADING}
    if loading["num_workers"] == "auto":
        loading["num_workers"] = 0 if hardware.accelerator == "cpu" else min(8, os.cpu_count() or 1)
    source = build_source(cfg)
    require_data(cfg.dataset, source)
    return SegmentationDataModule(
        source=source,
        augmentation=instantiate(cfg.augmentation, _convert_="all"),
        seed=cfg.seed,
        progress=progress.shown,
        **loading,
    )


def build_stages(cfg: DictConfig) -> list[Stage]:
    """The first stage from the main groups, the others from `stages`."""
    first = str(cfg.loss._target_).rpartition(".")[2] if cfg.stages else "main"
    nodes = [(first, cfg, cfg.trainer.max_epochs)]
    nodes += [(str(name), node, node.max_epochs) for name, node in cfg.stages.items()]
    return [
        Stage(
            name=name,
            epochs=epochs,
            loss=instantiate(node.loss, _convert_="all"),
            optimizer=instantiate(node.optimizer, _convert_="all"),
            scheduler=instantiate(node.scheduler, _convert_="all"),
            scheduled=None if cfg.stages else cfg.schedule_epochs,
        )
        for name, node, epochs in nodes
    ]


def build_module(
    cfg: DictConfig,
    content: dict[str, Any],
    data: SegmentationDataModule,
    model: nn.Module,
    stages: list[Stage],
) -> SegmentationModule:
    """The model with its normalisation and stages; weights from `init_from` if it is given."""
    mean, std = data.statistics()
    module = SegmentationModule(
        model=model,
        normalize=Normalize(mode=data.normalize, mean=mean, std=std),
        stages=stages,
        class_names=data.class_names,
        groups=data.groups,
        threshold=cfg.threshold,
        seed=cfg.seed,
        carried={
            "config": content,
            "classes": data.class_names,
            "data": data.fingerprint(),
            "preprocessing": {
                "size": list(data.preprocessing.size),
                "channels": data.preprocessing.channels,
                "window": data.window,
                "normalize": data.normalize,
                "mean": mean,
                "std": std,
            },
        },
    )
    try_out(module, data)
    if cfg.init_from is not None:
        weights.start_from(module.model, Path(cfg.init_from).expanduser())
    return module


def try_out(module: SegmentationModule, data: SegmentationDataModule) -> None:
    """Raises ValueError if the model or a loss breaks its contract, on one training image."""
    batch = data.samples("train")[0]
    outputs = compose.out_channels(data.source.classes)
    module.eval()
    with torch.no_grad():
        logits = module(batch["image"])
        expected = (1, outputs, *batch["mask"].shape[1:])
        if tuple(logits.shape) != expected:
            raise ValueError(f"the model gives {tuple(logits.shape)} for one image, not {expected}")
        for stage in module.stages:
            try:
                value = stage.loss(logits, batch["mask"].long())
            except Exception as error:
                raise ValueError(
                    f"the loss of stage {stage.name} cannot be called as loss(logits (N, C, H, W), "
                    f"target (N, H, W) int64): {str(error).splitlines()[0]}"
                ) from error
            if value.ndim:
                raise ValueError(f"the loss of stage {stage.name} gives {tuple(value.shape)}")
    module.train()


def build_trainer(
    cfg: DictConfig,
    hardware: precision.Hardware,
    data: SegmentationDataModule,
    module: SegmentationModule,
    folder: Path,
    writer: SummaryWriter | None,
) -> pl.Trainer:
    """Lightning's Trainer, with the callbacks that fill the run folder."""
    validation = data.rows("val")
    positions = fixed_cases(data.cache.foreground[validation], PANEL_ROWS)
    callbacks: list[pl.Callback] = []
    if cfg.early_stopping is not None:  # before the panels, which draw once more when it stops
        callbacks.append(Stopping(monitor=MONITOR, patience=cfg.early_stopping))
    last = folder / "checkpoints" / "last.ckpt"
    if cfg.checkpoints.every_steps is not None:
        callbacks.append(StepCheckpoint(last=last, steps=cfg.checkpoints.every_steps))
    callbacks += [
        PreemptionCheckpoint(last=last),
        NextStage(best=folder / "checkpoints" / "best.ckpt"),
        EpochLog(path=folder / "metrics.csv", writer=writer),
        Panels(
            samples=data.samples("val"),
            positions=positions,
            names=[data.pairs[validation[p]].case for p in positions],
            draw=partial(panels.draw, class_names=data.class_names),
            folder=folder / "panels",
            writer=writer,
            every=cfg.panels_every,
        ),
        *checkpoint.best_and_last(
            folder / "checkpoints", monitor=MONITOR, top_k=cfg.checkpoints.top_k
        ),
    ]
    if progress.on_terminal():
        callbacks.append(progress.Bar())
    if (folder / "trial.json").is_file():  # a search's, which may end the run
        from seg.training.pruning import pruning_callback  # noqa: PLC0415 - an extra

        callbacks.append(pruning_callback(folder))
    # as find_folder has it: stray SLURM_* variables of a login shell mean nothing
    environment = distributed.environment(cfg.trainer.num_nodes)
    return instantiate(
        cfg.trainer,
        _convert_="all",
        accelerator=hardware.accelerator,
        precision=hardware.precision,
        max_epochs=sum(stage.epochs for stage in module.stages),
        callbacks=callbacks,
        plugins=[checkpoint.AtomicCheckpointIO(), environment],
        logger=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=progress.on_terminal(),
        enable_model_summary=False,
        default_root_dir=folder,  # where Lightning looks for a SLURM job's checkpoints of its own
        benchmark=not cfg.trainer.deterministic,
    )
