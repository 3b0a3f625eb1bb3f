"""The callbacks of a training, which fill the run folder."""

from functools import partial

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Checkpoint

from seg.cli.make import make
from seg.data.datamodule import SegmentationDataModule
from seg.report import figures, panels
from seg.runs.folder import MONITOR, RunFolder
from seg.training import checkpoint, progress, pruning
from seg.training.compiled import Compiled
from seg.training.cores import sharing
from seg.training.cuda import CudaSearch
from seg.training.ema import EMA
from seg.training.epoch_log import EpochLog
from seg.training.freezing import FrozenEncoder
from seg.training.hardware import Hardware
from seg.training.panels import Panels, fixed_cases
from seg.training.pr_curves import PrecisionRecall
from seg.training.preemption import PreemptionCheckpoint, StepCheckpoint
from seg.training.stages import NextStage, Stopping


def build_callbacks(
    cfg: DictConfig,
    hardware: Hardware,
    data: SegmentationDataModule,
    run: RunFolder,
    *,
    panel_rows: int,
) -> list[pl.Callback]:
    """In their order: some of them need what the ones before have written."""
    best, last = run.checkpoint("best"), run.checkpoint("last")
    validation = data.rows("val")
    positions = fixed_cases(data.cache.foreground[validation], panel_rows)
    callbacks: list[pl.Callback] = [NextStage(best=best)]
    compiles = cfg.trainer.get("compile", False)  # not in a run of an earlier version
    if compiles:
        callbacks.append(Compiled(compiles))
    callbacks += sharing(hardware.accelerator, fixed=cfg.trainer.deterministic or compiles is True)
    if hardware.accelerator in ("gpu", "cuda") and not cfg.trainer.deterministic:
        callbacks.append(CudaSearch())
    also = figures.formats(cfg.figures)
    if cfg.ema is not None and cfg.ema.decay is not None:
        callbacks.append(EMA(decay=cfg.ema.decay))
    if frozen := cfg.model.get("freeze_encoder_epochs"):
        callbacks.append(FrozenEncoder(epochs=frozen))
    if cfg.early_stopping is not None:  # before the panels, which draw once more when it stops
        callbacks.append(Stopping(monitor=MONITOR, patience=cfg.early_stopping))
    own = [make(node) for node in (cfg.callbacks or {}).values()]
    callbacks += [callback for callback in own if not isinstance(callback, Checkpoint)]
    if cfg.checkpoints.every_steps is not None:
        callbacks.append(StepCheckpoint(last=last, steps=cfg.checkpoints.every_steps))
    callbacks += [
        PreemptionCheckpoint(last=last),
        EpochLog(path=run.metrics_path),
        Panels(
            samples=data.samples("val"),
            positions=positions,
            names=[data.pairs[validation[p]].case for p in positions],
            draw=partial(panels.draw, class_names=data.class_names, also=also),
            folder=run.panels_path,
            every=cfg.panels_every,
        ),
        *checkpoint.best_and_last(
            run.checkpoints_path, monitor=MONITOR, top_k=cfg.checkpoints.top_k
        ),
    ]
    callbacks.append(
        PrecisionRecall(class_names=data.class_names, overlap=data.preprocessing.overlap)
    )
    # after ours, which Lightning takes as the run's: its score is that of best.ckpt
    callbacks += [callback for callback in own if isinstance(callback, Checkpoint)]
    if progress.on_terminal():
        callbacks.append(progress.Bar())
    if (run.path / pruning.TRIAL_FILE).is_file():  # of a search, which may end the run
        callbacks.append(pruning.pruning_callback(run.path))
    return callbacks
