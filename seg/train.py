"""Train. python -m seg.train dataset=lgg loss=dice optimizer=adamw"""

import logging
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would look for updates on import

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from seg import assemble, config
from seg.data.datamodule import SegmentationDataModule
from seg.launch import launch
from seg.reporting import curves, leaderboard, panels, results
from seg.training import checkpoint, precision, resume
from seg.training.module import MONITOR, SegmentationModule
from seg.training.panels import predict_rows
from seg.training.run import Run, fresh_folder, write_json
from seg.training.tensorboard import add_graph, add_hparams

log = logging.getLogger("seg.train")  # __name__ is __main__ here

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
        data = assemble.build_data(cfg, hardware)
        model, stages = instantiate(cfg.model, _convert_="all"), assemble.build_stages(cfg)
        if is_main:
            resume.store(folder, content)
        data.setup()
        log.info("%s", data.describe())
        module = assemble.build_module(cfg, content, data, model, stages)
        writer = SummaryWriter(str(folder)) if is_main else None
        if writer is not None:
            data.write_split(folder / "split.csv")
            add_graph(writer, model, module.normalize(data.samples("train")[0]["image"]))
        trainer = assemble.build_trainer(cfg, hardware, data, module, folder, writer)
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
    for title, chosen in results.worst_median_best(counts, assemble.PANEL_ROWS).items():
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
