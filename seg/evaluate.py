"""Score a checkpoint. python -m seg.evaluate run=RUN_DIR [split=test] [protocol=all] [tune=true]"""

from seg.launch import launch

if __name__ == "__main__":  # before the imports, so that help and refusals come at once
    launch("seg.evaluate.evaluate", config_name="evaluate")

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from seg.cli import build
from seg.cli.make import make
from seg.cli.stored_run import build_loader, run_source, with_symmetries
from seg.data.split.draw import SPLITS
from seg.evaluation import summary
from seg.evaluation.cases import Case, dataset_cases, match_classes, run_cases
from seg.evaluation.score import CaseScores, score_cases
from seg.evaluation.stream import Predict, stream
from seg.evaluation.tune import tune as choose
from seg.inference.model import LoadedModel
from seg.inference.patches import for_whole_images
from seg.inference.segmentation import mask_of
from seg.inference.tta import TestTimeAugmentation
from seg.inference.tta import choose as choose_views
from seg.report import diagnostics, panels, results
from seg.report.robustness import draw as draw_robustness
from seg.runs import atomic
from seg.runs.folder import RunFolder
from seg.runs.results import robustness_path, table_path
from seg.training import checkpoint, progress
from seg.training.hardware import choose_hardware

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> dict[str, Any]:
    """Score a checkpoint on one set of cases and write the results; returns those of the JSON."""
    hardware = choose_hardware(cfg.trainer.accelerator, cfg.trainer.precision)
    run = RunFolder(Path(cfg.run).expanduser().absolute())
    model = build_loader(cfg, hardware).load_run(run.path, cfg.checkpoint)
    log.info("%s on %s", model.path, hardware.line)
    if cfg.tta:
        views = choose_views(cfg.tta, with_symmetries(model), check=cfg.tta_check)
        model = replace(model, predictor=TestTimeAugmentation(model.predictor, symmetries=views))
    predict = partial(
        stream,
        predictor=for_whole_images(model),
        preprocessing=model.preprocessing,
        count=cfg.batch_size,
        progress=progress.with_bar,
    )
    if cfg.tune:
        model = tune(cfg, run, model, predict)
    cases, name, predict = find_cases(cfg, run, model, predict)
    name += "-tta" if cfg.tta else ""
    protocols = make(cfg.protocol)
    robustness = protocols.pop("robustness", None)
    folder = Path(cfg.output).expanduser().absolute() if cfg.output else run.evaluations_path / name
    data = cases[0].pair.image.parent
    warn_of_other_data(folder / f"{name}.json", data)
    with atomic.replacing_files(folder, last=f"{name}.json") as new:
        path = new / f"{name}.json"
        scores, figures, unit = score_cases(
            predict(cases), model, protocols, tolerance=cfg.tolerance
        )
        curves = {}
        if robustness is not None:
            corrupted = robustness.measure(predict, cases, model, scores)
            scores, curves = corrupted.scores, {"robustness": corrupted.summary()}
            corrupted.write(robustness_path(path), model.classes)
            draw_robustness(
                {f"{name}, {model.path.name}": curves["robustness"]}, new / "robustness.png"
            )
        content = summary.summarize_evaluation(
            scores,
            model.classes,
            split=name,
            threshold=None if model.likeliest else model.threshold,
            postprocess=dict(model.postprocess),
            checkpoint=str(model.path),
            data=str(data),
            tolerance=cfg.tolerance,
            unit=unit,
            protocols=figures,
            **curves,
        )
        summary.write_scores(table_path(path), scores, model.classes)
        diagnostics.draw(scores, model.classes, content["threshold"], new)
        draw_panels(scores, model, cases, predict, new / "panels", title=name)
        atomic.write_json(path, content)
    results.show_evaluation(content, folder, Console())
    return content


def find_cases(
    cfg: DictConfig, run: RunFolder, model: LoadedModel, predict: Predict
) -> tuple[list[Case], str, Predict]:
    """The cases, the name of their set, and how they are predicted.

    The mask values of another data set may mean other classes than in training.
    """
    if "_target_" not in cfg.dataset:
        source = run_source(run, cfg.dataset.root)
        cases = run_cases(run, source, cfg.split, progress=progress.with_bar)
        return cases, cfg.split, predict
    source = build.build_source(cfg)
    build.require_data(cfg.dataset, source)
    own, other = model.preprocessing, build.build_preprocessing(cfg, source)
    if own.overlap != other.overlap:
        trained = str(own.overlap).lower()
        raise ValueError(f"set dataset.overlap={trained}, as in the training of this network")
    preprocessing = replace(
        own,
        classes=other.classes,
        ignore_value=other.ignore_value,
        mask_threshold=other.mask_threshold,
        window=own.window if other.window is None else other.window,
    )
    index_map = match_classes(model.classes, list(source.classes or {"foreground": 255}))
    predict = partial(predict, preprocessing=preprocessing, index_map=index_map)
    cases = dataset_cases(source, cfg.dataset.split.by)
    name = cfg.dataset.name
    if name in SPLITS:  # which the run has as well
        name = f"{HydraConfig.get().runtime.choices.dataset}-{name}"
    return cases, name, predict


def warn_of_other_data(path: Path, data: Path) -> None:
    """Warn that results of the same name but of other images will be replaced."""
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8")).get("data")
        if before != str(data):
            log.warning("%s: its results of %s are replaced; output=DIR keeps both", path, before)


def draw_panels(
    scores: CaseScores,
    model: LoadedModel,
    cases: Sequence[Case],
    predict: Predict,
    folder: Path,
    *,
    title: str,
) -> None:
    """Draw the worst, the median and the best cases, which are predicted once more."""
    for kind, rows in summary.worst_median_best(scores.counts, build.PANEL_ROWS).items():
        predictions = list(predict([cases[i] for i in rows]))
        masks = [mask_of(prediction.probs, model) for prediction in predictions]
        for mask, prediction, i in zip(masks, predictions, rows, strict=True):
            if scores.failed[i]:  # all of it counts as wrong
                mask[:] = prediction.reference == 0
        panels.draw(
            [f"{'FAILED ' * bool(scores.failed[i])}{scores.cases[i]}" for i in rows],
            [prediction.image for prediction in predictions],
            [prediction.reference for prediction in predictions],
            masks,
            f"{title}, {kind} cases",
            folder / f"{kind}.png",
            class_names=model.classes,
        )


def tune(cfg: DictConfig, run: RunFolder, model: LoadedModel, predict: Predict) -> LoadedModel:
    """Choose threshold and postprocessing on the validation cases; store them in the checkpoint."""
    root = None if "_target_" in cfg.dataset else cfg.dataset.root
    cases = run_cases(run, run_source(run, root), "val", progress=progress.with_bar)
    chosen = choose(
        lambda: predict(cases),
        classes=model.classes,
        threshold=model.config["threshold"],
        overlap=model.overlap,
    )
    values = {"threshold": chosen.threshold, "postprocess": chosen.postprocess}
    content = checkpoint.read(model.path)
    content["seg"] |= values
    checkpoint.write_atomically(content, model.path)
    log.info(
        "%s: tuned on %d validation cases, Dice %.4f -> %.4f:\n  %s",
        model.path, len(cases), chosen.before, chosen.after, "\n  ".join(chosen.lines),
    )  # fmt: skip
    return replace(model, **values)
