"""Train. python -m seg.train dataset=lgg loss=dice optimizer=adamw"""

from seg.launch import launch

if __name__ == "__main__":  # before the imports, so that help and refusals come at once
    launch("seg.train.train", config_name="train", sweeps=True)

import logging
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from seg.cli import build, compose
from seg.cli.loggers import build_loggers, finish_loggers
from seg.data.datamodule import SegmentationDataModule
from seg.evaluation import summary
from seg.report import curves, figures, panels, results
from seg.runs import atomic, resume
from seg.runs.case_table import write_cases
from seg.runs.folder import MONITOR, RunFolder
from seg.runs.outcome import Outcome
from seg.runs.run import Run
from seg.runs.start import find_finished, start
from seg.training import checkpoint, class_weights, tensorboard, weights
from seg.training.epoch_state import place
from seg.training.hardware import choose_hardware
from seg.training.module import SegmentationModule
from seg.training.panels import predict_rows
from seg.training.preemption import fit

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> Outcome:
    """Train a network, and test its best weights.

    Args:
        cfg: of `seg.compose`, or of the command line.
    Returns:
        The best val/dice, a number that has the `run`; a search never sees the test.
    """
    build.add_newer_keys(cfg)
    build.name_classes(cfg)
    config = compose.plain(cfg)
    weights.require_form(cfg.checkpoints.weights)
    hardware = choose_hardware(
        cfg.trainer.accelerator, cfg.trainer.precision, devices=config["trainer"]["devices"]
    )
    run = find_finished(config, job_folder=compose.job_folder())
    if run is None:  # the folder is made when the data are read and the network has been tried
        pl.seed_everything(cfg.seed, workers=True, verbose=False)
        data = build.build_data(cfg, hardware)
        model, stages = build.build_model(cfg), build.build_stages(cfg)
        data.setup()
        log.info("%s", data.describe())
        for line in data.missing_classes():
            log.warning("%s", line)
        if narrow := data.narrow_values():
            log.warning("%s", narrow.text)
        computed = class_weights.fill(stages, data)
        module = build.build_module(cfg, config, data, model, stages)
        run = start(config, job_folder=compose.job_folder(), device=hardware.line)
    if run.is_finished:
        log.info("%s is finished; nothing to do", run.path)
        return Outcome(run.best_score, run)
    saved = checkpoint.read_metadata(run.resumed_from) if run.resumed_from else None
    computed = (saved or {}).get("class_weights") or computed  # a resumed run keeps its own
    module.metadata["class_weights"] = computed
    build.keep_as_begun(stages, config)
    with run:
        log.info("%s on %s", run.path, hardware.line)
        if saved is not None and "position" in saved:  # an old one is refused below
            log.info("resumed: goes on with %s", place(saved["position"]))
        run.write_config()
        run.record(**compose.command_line(), **({"class_weights": computed} if computed else {}))
        with tensorboard.event_file(run) as writer:
            run.write_split(data.split_rows())
            image = data.example()["image"]
            tensorboard.add_graph(writer, model, module.normalize(image))
            loggers = build_loggers(cfg, run, writer)
            if saved is not None:
                now = module.metadata | {"shapes": checkpoint.shapes(module.state_dict())}
                resume.require_fitting(saved, now, path=run.resumed_from)
                data.start = tuple(saved["position"].values())
            trainer = build.build_trainer(cfg, hardware, data, module, run, loggers)
            fit(trainer, module, data, run.resumed_from)
            best = checkpoint.read(run.checkpoint("best"))
            module.load_state_dict(best["state_dict"])
            scores = test(trainer, module, data, run) if data.rows("test") else {}
            score = float(trainer.checkpoint_callback.best_model_score)
            finish(run, best, score, scores, loggers)
        run.record(best_epoch=best["epoch"] + 1, **{MONITOR: score})
    if scores and not compose.in_sweep():  # a sweep has one table, at its end
        results.show_test(scores, run.path, Console())
    return Outcome(score, run)


def test(
    trainer: pl.Trainer, module: SegmentationModule, data: SegmentationDataModule, run: Run
) -> dict[str, Any]:
    """Score the test cases; write test.json, test_cases.csv and panels of worst to best.

    Returns:
        The content of test.json; nothing on further ranks.
    """
    trainer.test(module, datamodule=data, verbose=False)
    rows, counts = module.counts["test"]
    if not trainer.is_global_zero:
        return {}
    also = figures.formats(run.config["figures"])
    names, groups = [data.pairs[i].case for i in rows], [data.groups[i] for i in rows]
    about = {"groups": groups, "class_names": data.class_names, "counts": counts}
    write_cases(run.test_cases_path, cases=names, **about)
    scores = summary.summarize_test(split="test", size=data.preprocessing.size, **about)
    atomic.write_json(run.test_path, scores)
    samples = data.samples("test")
    position = {row: i for i, row in enumerate(samples.cases.tolist())}
    for title, chosen in summary.worst_median_best(counts, build.PANEL_ROWS).items():
        pictures = predict_rows(module, samples, [position[rows[i]] for i in chosen])
        shown, about = [names[i] for i in chosen], f"test, {title} cases"
        options = {"class_names": data.class_names, "also": also}
        panels.draw(shown, *pictures, about, run.test_panel(title), **options)
    return scores


@rank_zero_only
def finish(
    run: Run, best: dict[str, Any], score: float, scores: dict[str, Any], loggers: list[Logger]
) -> None:
    """Write the best weights alone, the curves of the training, and its figures for the loggers."""
    weights.write_weights(best, run.weights_path(run.config["checkpoints"]["weights"]))
    curves.draw(RunFolder(run.path), also=figures.formats(run.config["figures"]))
    final = {f"test/{k}": v["value"] for k, v in scores.get("metrics", {}).items()}
    finish_loggers(loggers, run, final | {tensorboard.BEST: score}, epoch=best["epoch"] + 1)
