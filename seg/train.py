"""Train. python -m seg.train dataset=lgg loss=dice optimizer=adamw"""

import logging
import os
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would look for updates on import

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from seg import config
from seg.data.datamodule import SegmentationDataModule
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


def train(cfg: DictConfig) -> float:
    """One run: data, model, training, test on the best weights, pictures. Returns the test's mean
    Dice.
    """
    content = config.plain(cfg)
    hardware = precision.choose(cfg.trainer.accelerator, cfg.trainer.precision)
    folder, ckpt_path = find_folder(cfg, content)
    if folder is None:
        return float("nan")  # it was finished already
    with Run(folder, facts={"name": cfg.name, "seed": cfg.seed, "device": hardware.line}) as run:
        OmegaConf.save(OmegaConf.create(content), folder / "config.yaml")
        log.info("%s on %s", folder, hardware.line)
        pl.seed_everything(cfg.seed, workers=True, verbose=False)
        data = build_data(cfg, hardware)
        data.setup()
        log.info("%s", data.describe())
        data.write_split(folder / "split.csv")
        module = build_module(cfg, content, data)
        writer = SummaryWriter(str(folder)) if os.environ.get("LOCAL_RANK", "0") == "0" else None
        trainer = build_trainer(cfg, hardware, data, module, folder, writer)
        if writer is not None:
            image = module.normalize(data.samples("train")[0]["image"])
            add_graph(writer, module.model, image)
        trainer.fit(module, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
        best = checkpoint.read(folder / "checkpoints" / "best.ckpt")
        module.load_state_dict(best["state_dict"])
        scores = test(trainer, module, data, folder) if data.rows("test") else {}
        if writer is not None:
            torch.save(checkpoint.model_weights(best), folder / "model.pth")
            curves.draw(folder / "metrics.csv", folder / "curves.png")
            final = {f"test/{k}": v["value"] for k, v in scores.get("metrics", {}).items()}
            final[f"best/{MONITOR}"] = float(trainer.checkpoint_callback.best_model_score)
            add_hparams(writer, content, final)
            writer.close()
            run.record(best_epoch=best["epoch"] + 1, **{MONITOR: final[f"best/{MONITOR}"]})
    if writer is not None and scores:
        results.show(scores, folder, Console())
    return scores["metrics"]["dice"]["value"] if scores else final[f"best/{MONITOR}"]


def find_folder(cfg: DictConfig, content: dict[str, Any]) -> tuple[Path | None, Path | None]:
    """The run folder and the checkpoint to go on from; no folder if the run to resume is
    finished.
    """
    if "SEG_RUN_FOLDER" in os.environ:  # this is a further rank of a run that has one
        return Path(os.environ["SEG_RUN_FOLDER"]), None
    root = Path(cfg.output_dir).expanduser().absolute()
    folder = config.job_folder()
    if folder is None and cfg.resume is not None:
        folder = resume.find(cfg.resume, content, root / cfg.name)
        if folder is not None:
            if resume.is_finished(folder):
                log.info("%s is finished; nothing to do", folder)
                return None, None
            return folder, resume.last_checkpoint(folder)
    if folder is None:
        folder = fresh_folder(root / cfg.name)
    folder.mkdir(parents=True, exist_ok=True)
    if cfg.trainer.devices != 1 or cfg.trainer.num_nodes != 1:
        os.environ["SEG_RUN_FOLDER"] = str(folder)  # the processes that Lightning starts inherit it
    return folder, None


def build_data(cfg: DictConfig, hardware: precision.Hardware) -> SegmentationDataModule:
    """The source gets the keys that its signature names, the data module the others."""
    node = config.plain(cfg.dataset)
    loading = {k: node.pop(k) for k in list(node) if k in config.checks.LOADING}
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
    nodes = {"main" if not cfg.stages else str(cfg.loss._target_).rpartition(".")[2]: cfg} | dict(
        cfg.stages
    )
    stages = []
    for name, node in nodes.items():
        epochs = node.max_epochs if "max_epochs" in node else node.trainer.max_epochs
        parts = {
            k: instantiate(node[k], _convert_="all") for k in ("loss", "optimizer", "scheduler")
        }
        stages.append(Stage(name=str(name), epochs=epochs, **parts))
    return stages


def build_module(
    cfg: DictConfig, content: dict[str, Any], data: SegmentationDataModule
) -> SegmentationModule:
    """The model with its normalisation and stages; weights from `init_from` if it is given."""
    mean, std = data.statistics()
    module = SegmentationModule(
        model=instantiate(cfg.model, _convert_="all"),
        normalize=Normalize(mode=data.normalize, mean=mean, std=std),
        stages=build_stages(cfg),
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
    if cfg.init_from is not None:
        resume.load_weights(module.model, Path(cfg.init_from).expanduser())
    return module


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
    callbacks: list[pl.Callback] = [
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
    if cfg.early_stopping is not None:
        callbacks.append(
            pl.callbacks.EarlyStopping(MONITOR, patience=cfg.early_stopping, mode="max")
        )
    if progress.on_terminal():
        callbacks.append(progress.Bar())
    return instantiate(
        cfg.trainer,
        _convert_="all",
        accelerator=hardware.accelerator,
        precision=hardware.precision,
        max_epochs=sum(stage.epochs for stage in module.stages),
        callbacks=callbacks,
        plugins=[checkpoint.AtomicCheckpointIO()],
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
    """Score the test cases; write test.json, test_cases.csv and the worst, median and best
    panels.
    """
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
    config.launch(train, config_name="train", sweep_folder=fresh_folder, after_sweep=after_sweep)
