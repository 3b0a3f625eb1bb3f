"""The objects of a run, made from a configuration: data, module, trainer."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger
from torch import nn

from seg.cli import compose
from seg.cli.callbacks import build_callbacks
from seg.cli.files import build_source, require_data
from seg.cli.make import make
from seg.cli.make_loss import make_loss
from seg.cli.targets import LOADING
from seg.data.cores import usable_cores
from seg.data.datamodule import SegmentationDataModule
from seg.data.dataset import refuse_channels
from seg.data.preprocess import Preprocessing, preprocessing
from seg.data.sources import Source
from seg.metrics.overlap import existing
from seg.models.normalize import Normalize, choose
from seg.runs import distributed
from seg.runs.folder import RunFolder
from seg.runs.resume import EARLIER
from seg.training import checkpoint, progress, symmetries, weights
from seg.training.hardware import Hardware
from seg.training.module import SPLITS, SegmentationModule
from seg.training.parameter_groups import require_encoder
from seg.training.quick_hooks import Unprofiled
from seg.training.stages import Stage
from seg.training.whole_images import WholeImages

PANEL_ROWS = 5


def add_newer_keys(cfg: DictConfig) -> None:
    """Give the configuration of an earlier version's run the keys that it lacks."""
    for key in EARLIER.keys() - cfg.keys():
        if "." not in key:
            OmegaConf.update(cfg, key, EARLIER[key], force_add=True)


def name_classes(cfg: DictConfig) -> None:
    """Write the classes that the data set's own files name into the configuration.

    The outputs of the network follow `dataset.classes`, and the run folder records it.
    """
    if not isinstance(compose.plain(cfg.dataset)["classes"], dict):
        cfg.dataset.classes = build_source(cfg).classes


def build_preprocessing(cfg: DictConfig, source: Source) -> Preprocessing:
    """How the data set's files become arrays."""
    node = compose.plain(cfg.dataset)
    return preprocessing(
        **{
            key: node.get(key)
            for key in (
                "image_size",
                "patch_size",
                "channels",
                "window",
                "overlap",
                "mask_threshold",
            )
        },
        classes=source.classes,
        ignore_value=source.ignore_value,
    )


def build_data(cfg: DictConfig, hardware: Hardware) -> SegmentationDataModule:
    """The batches of a data set. Raises FileNotFoundError where there are no data."""
    node = compose.plain(cfg.dataset)
    loading = {key: value for key, value in node.items() if key in LOADING - {"name"}}
    if loading["num_workers"] == "auto":
        loading["num_workers"] = 0 if hardware.accelerator == "cpu" else min(8, usable_cores())
    source = build_source(cfg)
    require_data(cfg.dataset, source)
    augmentation = make(cfg.augmentation)
    refuse_channels(augmentation, loading["channels"])
    return SegmentationDataModule(
        source=source,
        augmentation=augmentation,
        seed=cfg.seed,
        progress=progress.with_bar,
        **loading,
    )


def build_model(cfg: DictConfig) -> nn.Module:
    """The network. Raises ValueError if a key is given for an encoder that it does not have."""
    model = make(cfg.model)
    if cfg.model.get("freeze_encoder_epochs"):
        require_encoder(model, f"model.freeze_encoder_epochs={cfg.model.freeze_encoder_epochs}")
    for node in (cfg, *cfg.stages.values()):
        scale = node.optimizer.get("encoder_lr_scale", 1.0)
        if scale != 1:
            require_encoder(model, f"optimizer.encoder_lr_scale={scale}")
    return model


def build_stages(cfg: DictConfig) -> list[Stage]:
    """The first stage from the main groups, the others from `stages`."""
    first = str(cfg.loss._target_).rpartition(".")[2] if cfg.stages else "main"
    nodes = [(first, cfg, cfg.trainer.max_epochs)]
    nodes += [(str(name), node, node.max_epochs) for name, node in cfg.stages.items()]
    overlap = cfg.dataset.get("overlap", False)
    channels = compose.out_channels(cfg.dataset.classes, overlap=overlap)
    return [
        Stage(
            name=name,
            epochs=epochs,
            loss=make_loss(node.loss, channels=channels, overlap=overlap),
            optimizer=make(node.optimizer),
            scheduler=make(node.scheduler),
            scheduled=None if cfg.stages else cfg.schedule_epochs,
            # an optimizer of the user's own may leave these keys out
            encoder_lr_scale=node.optimizer.get("encoder_lr_scale", 1.0),
            decay_norms_and_biases=node.optimizer.get("decay_norms_and_biases", True),
        )
        for name, node, epochs in nodes
    ]


def keep_as_begun(stages: list[Stage], config: dict[str, Any]) -> None:
    """Give stages what `start` has taken over from the run that is resumed."""
    stages[0].scheduled = config["schedule_epochs"]
    for stage, node in zip(stages, (config, *config["stages"].values()), strict=True):
        stage.decay_norms_and_biases = node["optimizer"].get("decay_norms_and_biases", True)


def build_module(
    cfg: DictConfig,
    content: dict[str, Any],
    data: SegmentationDataModule,
    model: nn.Module,
    stages: list[Stage],
) -> SegmentationModule:
    """The network to train, tried on one image. Its weights start from `init_from`, if that is set.

    Args:
        content: the configuration as plain containers, which checkpoints hold.
        data: after its setup.
    Raises:
        ValueError: the model or a loss does not keep its contract, or `init_from` does not fit.
    """
    suffix = getattr(data.source, "image_suffix", "")
    patch = data.preprocessing.patch
    statistics = data.statistics()
    mode, mean, std = choose(data.normalize, model, statistics)
    module = SegmentationModule(
        model=model,
        normalize=Normalize(mode=mode, mean=mean, std=std),
        stages=stages,
        class_names=data.class_names,
        groups=data.groups,
        existing={split: existing(data.classes_in(split)) for split in SPLITS},
        threshold=cfg.threshold,
        overlap=data.preprocessing.overlap,
        seed=cfg.seed,
        metadata={
            "config": content,
            "classes": data.class_names,
            "data": data.fingerprint(),
            "symmetries": symmetries.record(data),
            "preprocessing": {
                "size": _as_list(data.preprocessing.size),
                "patch": _as_list(data.preprocessing.patch),
                "channels": data.preprocessing.channels,
                "window": data.window,
                "overlap": data.preprocessing.overlap,
                "image_suffix": suffix if isinstance(suffix, list) and len(suffix) > 1 else [],
                "normalize": mode,
                "mean": mean,
                "std": std,
                "images": dict(zip(("mean", "std"), statistics, strict=True)),
            },
        },
        whole_images=None if patch is None else WholeImages(patch, data.batch_size),
    )
    module.require_contract(data.example())
    if cfg.init_from is not None:
        path = Path(cfg.init_from).expanduser()
        weights.start_from(module.model, path, partial=cfg.init_from_partial)
    return module


def _as_list(size: tuple[int, int] | None) -> list[int] | None:
    return None if size is None else list(size)


def build_trainer(
    cfg: DictConfig,
    hardware: Hardware,
    data: SegmentationDataModule,
    module: SegmentationModule,
    run: RunFolder,
    loggers: list[Logger],
) -> pl.Trainer:
    """Lightning's Trainer, with the callbacks that fill the run folder."""
    return make(
        cfg.trainer,
        **({} if cfg.trainer.get("profiler") else {"profiler": Unprofiled()}),
        accelerator=hardware.accelerator,
        precision=hardware.precision,
        max_epochs=sum(stage.epochs for stage in module.stages),
        callbacks=build_callbacks(cfg, hardware, data, run, panel_rows=PANEL_ROWS),
        # the environment that `detect_rank` goes by: stray SLURM_* variables mean nothing
        plugins=[
            checkpoint.AtomicCheckpointIO(), distributed.environment(cfg.trainer.num_nodes),
        ],
        logger=loggers,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=progress.on_terminal(),
        enable_model_summary=False,
        default_root_dir=run.path,  # where Lightning looks for a SLURM job's checkpoints of its own
    )  # fmt: skip
