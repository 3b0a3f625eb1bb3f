"""Train. python -m seg.train dataset=lgg loss=dice optimizer=adamw"""

import logging
import os
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would look for updates on import

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from seg import config
from seg.check import LOADING
from seg.data.datamodule import SegmentationDataModule
from seg.launch import launch
from seg.models.normalize import Normalize
from seg.reporting import curves, leaderboard, panels, results
from seg.training import checkpoint, precision, progress, resume
from seg.training.history import History
from seg.training.module import MONITOR, SegmentationModule
from seg.training.panels import Panels, fixed_cases, predict_rows
from seg.training.run import Run, fresh_folder, write_json
from seg.training.stages import NextStage, Stage
from seg.training.tensorboard import add_graph, add_hparams

log = logging.getLogger("seg.train")  # __name__ is __main__ here

PANEL_ROWS = 5
HANDED_ON = ("SEG_RUN_FOLDER", "SEG_CHECKPOINT")  # from the first rank to the others


def train(cfg: DictConfig) -> float:
    """One run: data, model, training, test of the best weights. Returns the test's mean Dice."""
    content = config.plain(cfg)
    hardware = precision.choose(
        cfg.trainer.accelerator, cfg.trainer.precision, devices=content["trainer"]["devices"]
    )
    folder, ckpt_path = find_folder(cfg, content)
    if resume.is_finished(folder):
        log.info("%s is finished; nothing to do", folder)
        return float("nan")
    if cfg.trainer.devices == 1 and cfg.trainer.num_nodes == 1:
        forget_ranks()
    is_main = rank_zero_only.rank == 0  # further ranks train, and leave the folder alone
    facts = {"name": cfg.name, "seed": cfg.seed, "device": hardware.line}
    with Run(folder, facts=facts) if is_main else nullcontext() as run:
        log.info("%s on %s", folder, hardware.line)
        pl.seed_everything(cfg.seed, workers=True, verbose=False)
        data = build_data(cfg, hardware)
        model, stages = instantiate(cfg.model, _convert_="all"), build_stages(cfg)
        if is_main:
            resume.store(folder, content)
        data.setup()
        log.info("%s", data.describe())
        module = build_module(cfg, content, data, model, stages)
        writer = SummaryWriter(str(folder)) if is_main else None
        if writer is not None:
            data.write_split(folder / "split.csv")
            add_graph(writer, model, module.normalize(data.samples("train")[0]["image"]))
        trainer = build_trainer(cfg, hardware, data, module, folder, writer)
        fit(trainer, module, data, ckpt_path)
        best = checkpoint.read(folder / "checkpoints" / "best.ckpt")
        module.load_state_dict(best["state_dict"])
        scores = test(trainer, module, data, folder) if data.rows("test") else {}
        if run is None or writer is None:
            return float("nan")
        torch.save(checkpoint.model_weights(best), folder / "model.pth")
        curves.draw(folder / "metrics.csv", folder / "curves.png")
        final = {f"test/{k}": v["value"] for k, v in scores.get("metrics", {}).items()}
        final[f"best/{MONITOR}"] = float(trainer.checkpoint_callback.best_model_score)
        add_hparams(writer, content, final)
        writer.close()
        run.record(best_epoch=best["epoch"] + 1, **{MONITOR: final[f"best/{MONITOR}"]})
    if scores:
        results.show(scores, folder, Console())
    return final.get("test/dice", final[f"best/{MONITOR}"])


def forget_ranks() -> None:
    """A single process is the first rank, whatever a surrounding job left in the environment."""
    for key in ("RANK", "LOCAL_RANK", "GROUP_RANK", "SLURM_PROCID"):
        os.environ.pop(key, None)
    rank_zero_only.rank = 0


def fit(
    trainer: pl.Trainer,
    module: SegmentationModule,
    data: SegmentationDataModule,
    ckpt_path: Path | None,
) -> None:
    """Lightning's fit. Its answer to Ctrl-C, an exit with 1, is turned into KeyboardInterrupt."""
    try:
        if ckpt_path is not None:
            data.first_epoch = checkpoint.read(ckpt_path)["epoch"] + 1
        trainer.fit(module, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        for key in HANDED_ON:
            os.environ.pop(key, None)


def find_folder(cfg: DictConfig, content: dict[str, Any]) -> tuple[Path, Path | None]:
    """The run folder, and the checkpoint to go on from."""
    if rank_zero_only.rank > 0 and HANDED_ON[0] in os.environ:
        given = os.environ.get(HANDED_ON[1])
        return Path(os.environ[HANDED_ON[0]]), Path(given) if given else None
    root = Path(cfg.output_dir).expanduser().absolute()
    folder, ckpt_path = config.job_folder(), None
    if folder is None and cfg.resume is not None:
        folder = resume.find(cfg.resume, content, root / cfg.name)
        ckpt_path = None if folder is None else resume.last_checkpoint(folder)
    if folder is None:
        folder = fresh_folder(root / cfg.name)
    folder.mkdir(parents=True, exist_ok=True)
    if cfg.trainer.devices != 1 or cfg.trainer.num_nodes != 1:
        # the processes that Lightning starts for further devices inherit the environment
        os.environ |= {HANDED_ON[0]: str(folder)}
        os.environ |= {HANDED_ON[1]: str(ckpt_path)} if ckpt_path else {}
    return folder, ckpt_path


def build_data(cfg: DictConfig, hardware: precision.Hardware) -> SegmentationDataModule:
    """The source gets the keys that its signature names, the data module the others."""
    node = config.plain(cfg.dataset)
    loading = {k: node.pop(k) for k in list(node) if k in LOADING}
    if loading["num_workers"] == "auto":
        loading["num_workers"] = 0 if hardware.accelerator == "cpu" else min(8, os.cpu_count() or 1)
    return SegmentationDataModule(
        source=instantiate(node, _convert_="all"),
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
        carried={
            "config": content,
            "classes": data.class_names,
            "preprocessing": {
                "size": list(data.preprocessing.size),
                "channels": data.preprocessing.channels,
                "normalize": data.normalize,
                "mean": mean,
                "std": std,
            },
        },
    )
    try_out(module, data)
    if cfg.init_from is not None:
        resume.load_weights(module.model, Path(cfg.init_from).expanduser())
    return module


def try_out(module: SegmentationModule, data: SegmentationDataModule) -> None:
    """Raises ValueError if the model or a loss breaks its contract, on one training image."""
    batch = data.samples("train")[0]
    outputs = config.out_channels(data.source.classes)
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
        stopping = pl.callbacks.EarlyStopping(MONITOR, patience=cfg.early_stopping, mode="max")
        callbacks.append(stopping)
    callbacks += [
        NextStage(best=folder / "checkpoints" / "best.ckpt"),
        History(path=folder / "metrics.csv", writer=writer),
        Panels(
            samples=data.samples("val"),
            positions=positions,
            names=[data.pairs[validation[p]].case for p in positions],
            draw=partial(panels.draw, class_names=data.class_names),
            folder=folder / "panels",
            writer=writer,
            every=cfg.panels_every,
        ),
        *checkpoint.best_and_last(folder / "checkpoints", monitor=MONITOR),
    ]
    if progress.on_terminal():
        callbacks.append(progress.Bar())
    plugins: list[Any] = [checkpoint.AtomicCheckpointIO()]
    if cfg.trainer.num_nodes == 1:  # stray SLURM_* variables of a login shell mean nothing
        plugins.append(LightningEnvironment())
    return instantiate(
        cfg.trainer,
        _convert_="all",
        accelerator=hardware.accelerator,
        precision=hardware.precision,
        max_epochs=sum(stage.epochs for stage in module.stages),
        callbacks=callbacks,
        plugins=plugins,
        logger=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=progress.on_terminal(),
        enable_model_summary=False,
        benchmark=not cfg.trainer.deterministic,
    )


def test(
    trainer: pl.Trainer, module: SegmentationModule, data: SegmentationDataModule, folder: Path
) -> dict[str, Any]:
    """Score the test cases; write test.json, test_cases.csv and panels of worst to best."""
    trainer.test(module, datamodule=data, verbose=False)
    rows, counts = module.counts["test"]
    if not trainer.is_global_zero:
        return {}
    names, groups = [data.pairs[i].case for i in rows], [data.groups[i] for i in rows]
    about = {"groups": groups, "class_names": data.class_names, "counts": counts}
    results.write_cases(folder / "test_cases.csv", cases=names, **about)
    scores = results.summary(split="test", size=data.preprocessing.size, **about)
    write_json(scores, folder / "test.json")
    samples = data.samples("test")
    position = {row: i for i, row in enumerate(samples.cases.tolist())}
    for title, chosen in results.worst_median_best(counts, PANEL_ROWS).items():
        pictures = predict_rows(module, samples, [position[rows[i]] for i in chosen])
        path = folder / "test_panels" / f"{title}.png"
        shown, about = [names[i] for i in chosen], f"test, {title} cases"
        panels.draw(shown, *pictures, about, path, class_names=data.class_names)
    return scores


def after_sweep(folder: Path) -> int:
    """Write and show the leaderboard; returns how many jobs did not finish."""
    rows = leaderboard.write(folder)
    leaderboard.show(rows, folder, Console())
    return sum(row["status"] != "finished" for row in rows)


if __name__ == "__main__":
    launch(train, config_name="train", sweep_folder=fresh_folder, after_sweep=after_sweep)
