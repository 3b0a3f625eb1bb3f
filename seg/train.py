"""Train. python -m seg.train dataset=lgg loss=dice optimizer=adamw"""

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from seg.cli import build, compose
from seg.data.datamodule import SegmentationDataModule
from seg.evaluation import summary
from seg.launch import launch
from seg.report import curves, panels, results
from seg.runs import atomic, distributed, lock, rendezvous, resume, same, workers
from seg.runs.case_table import write_cases
from seg.runs.run import Run, fresh_folder
from seg.training import checkpoint, weights
from seg.training import hardware as precision
from seg.training.module import MONITOR, SegmentationModule
from seg.training.panels import predict_rows
from seg.training.tensorboard import add_graph, add_hparams, event_file

log = logging.getLogger("seg.train")  # __name__ is __main__ here


def train(cfg: DictConfig) -> float:
    """One run: data, model, training, test of the best weights. Returns the best val/dice: who
    searches by what this returns must not search by the test.
    """
    content = compose.plain(cfg)
    weights.require(cfg.checkpoints.weights)
    hardware = precision.choose(
        cfg.trainer.accelerator, cfg.trainer.precision, devices=content["trainer"]["devices"]
    )
    folder, ckpt_path, held = find_folder(cfg, content)
    if resume.is_over(folder, content):
        log.info("%s is finished; nothing to do", folder)
        return float(resume.facts(folder)[MONITOR])
    saved = None
    if ckpt_path is not None:
        saved = checkpoint.read(ckpt_path)
        cfg.schedule_epochs = same.spanned(resume.stored(folder), content)
        content["schedule_epochs"] = cfg.schedule_epochs
        same.tell_schedule(content, folder)
    is_main = rank_zero_only.rank == 0  # further ranks train, and leave the folder alone
    if not is_main:
        logging.getLogger("seg").setLevel(logging.ERROR)
    facts = {"name": cfg.name, "seed": cfg.seed, "device": hardware.line}
    with Run(folder, facts=facts, held=held) if is_main else nullcontext() as run:
        log.info("%s on %s", folder, hardware.line)
        pl.seed_everything(cfg.seed, workers=True, verbose=False)
        data = build.build_data(cfg, hardware)
        model, stages = instantiate(cfg.model, _convert_="all"), build.build_stages(cfg)
        if is_main:
            resume.store(folder, content)
        data.setup()
        log.info("%s", data.describe())
        module = build.build_module(cfg, content, data, model, stages)
        with event_file(folder) if is_main else nullcontext() as writer:
            if writer is not None:
                data.write_split(folder / "split.csv")
                add_graph(writer, model, module.normalize(data.samples("train")[0]["image"]))
            if saved is not None:
                state, names = module.state_dict(), data.class_names
                same.require_fitting(
                    saved, ckpt_path, state=state, classes=names, data=data.fingerprint()
                )
                data.start = (*saved["seg"]["position"].values(),)
                saved = None  # Lightning reads it again; memory holds it once
            trainer = build.build_trainer(cfg, hardware, data, module, folder, writer)
            fit(trainer, module, data, ckpt_path)
            best = checkpoint.read(folder / "checkpoints" / "best.ckpt")
            module.load_state_dict(best["state_dict"])
            scores = test(trainer, module, data, folder) if data.rows("test") else {}
            score = float(trainer.checkpoint_callback.best_model_score)
            if run is None or writer is None:
                return score
            weights.write_weights(best, folder, form=cfg.checkpoints.weights)
            curves.draw(folder / "metrics.csv", folder / "curves.png")
            final = {f"test/{k}": v["value"] for k, v in scores.get("metrics", {}).items()}
            add_hparams(writer, content, final | {f"best/{MONITOR}": score})
        run.record(best_epoch=best["epoch"] + 1, **{MONITOR: score})
    if scores and not compose.in_sweep():  # a sweep has one table, at its end
        results.show_test(scores, folder, Console())
    return score


def fit(
    trainer: pl.Trainer,
    module: SegmentationModule,
    data: SegmentationDataModule,
    ckpt_path: Path | None,
) -> None:
    """Lightning's fit. Its answer to Ctrl-C, an exit with 1, is turned into KeyboardInterrupt."""
    try:
        trainer.fit(module, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    except BaseException as error:
        workers.end_workers()  # of every rank; Run is the first one's
        if isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        rendezvous.forget()


def find_folder(
    cfg: DictConfig, content: dict[str, Any]
) -> tuple[Path, Path | None, lock.Lock | None]:
    """The run folder, the checkpoint to go on from, and the folder's lock (the first rank's, and
    only where there is something to do).
    """
    trainer = content["trainer"]
    place = distributed.detect_rank(devices=trainer["devices"], num_nodes=trainer["num_nodes"])
    if place.rank > 0:
        return *rendezvous.receive(place=place, config=content), None
    folder, held = claim_folder(cfg, content)
    ckpt_path = resume.last_checkpoint(folder)
    if trainer["devices"] != 1 or trainer["num_nodes"] != 1:
        rendezvous.give(folder, ckpt_path, place=place, config=content)
    return folder, ckpt_path, held


def claim_folder(cfg: DictConfig, content: dict[str, Any]) -> tuple[Path, lock.Lock | None]:
    """The run folder and its lock, so that two launches in one second never meet in one folder."""
    root = Path(cfg.output_dir).expanduser().absolute()
    while True:
        given = compose.job_folder()
        if given is not None:
            given.mkdir(parents=True, exist_ok=True)
            if (given / "config.yaml").is_file():  # of the same sweep, which is continued
                same.require_same(resume.stored(given), content, str(given))
        folder = given
        if folder is None and cfg.resume is not None:
            folder = resume.find(cfg.resume, content, root / cfg.name)
        if folder is None:
            folder = fresh_folder(root / cfg.name)
        held = lock.acquire(folder)
        if held is not None and resume.is_over(folder, content):
            held.release()
            return folder, None
        if held is not None:
            return folder, held
        if given is not None:
            raise ValueError(f"{given}: another process is running in this folder")
        # another launch was quicker: `find` sees that now


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
    write_cases(folder / "test_cases.csv", cases=names, **about)
    scores = summary.summarize_test(split="test", size=data.preprocessing.size, **about)
    atomic.write_json(folder / "test.json", scores)
    samples = data.samples("test")
    position = {row: i for i, row in enumerate(samples.cases.tolist())}
    for title, chosen in summary.worst_median_best(counts, build.PANEL_ROWS).items():
        pictures = predict_rows(module, samples, [position[rows[i]] for i in chosen])
        path = folder / "test_panels" / f"{title}.png"
        shown, about = [names[i] for i in chosen], f"test, {title} cases"
        panels.draw(shown, *pictures, about, path, class_names=data.class_names)
    return scores


if __name__ == "__main__":
    launch(train, config_name="train", sweeps=True)
