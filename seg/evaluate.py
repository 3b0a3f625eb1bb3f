"""Score checkpoints. python -m seg.evaluate run=RUN_DIR | runs=GLOB [datasets=[test,NAME,...]]"""

from seg.launch import launch

if __name__ == "__main__":  # before the imports, so that help and refusals come at once
    launch("seg.evaluate.main", config_name="evaluate")

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from seg.cli import build, compose
from seg.cli.cells import CommandLine
from seg.cli.console import message
from seg.cli.datasets import as_given
from seg.cli.files import build_source, require_data
from seg.cli.flags import flags
from seg.cli.make import make
from seg.cli.stored_run import build_loader, run_source, with_symmetries
from seg.data.split.draw import SPLITS
from seg.evaluation import summary
from seg.evaluation.cases import Case, dataset_cases, match_classes, run_cases
from seg.evaluation.inputs import describe_inputs
from seg.evaluation.score import score_cases
from seg.evaluation.stream import Predict, stream
from seg.evaluation.tune import tune as choose
from seg.inference.model import LoadedModel
from seg.inference.patches import for_whole_images
from seg.inference.tta import TestTimeAugmentation
from seg.inference.tta import choose as choose_views
from seg.report import case_panels, diagnostics, figures, results
from seg.report.robustness import draw as draw_robustness
from seg.runs import atomic
from seg.runs.folder import RunFolder
from seg.runs.results import evaluation_files, robustness_path, table_path
from seg.training import checkpoint, progress
from seg.training.hardware import choose_hardware

log = logging.getLogger(__name__)
LINES = 4  # of a message on one of several evaluations


def main(cfg: DictConfig) -> None:
    """Score one run, or with `runs` and `datasets` each run on each data set.

    Raises:
        ValueError: some of several could not be scored; all others are.
    """
    if cfg.runs is None and cfg.datasets is None:
        evaluate(cfg, lines=HydraConfig.get().overrides.task)
        return
    line = CommandLine(cfg)
    cells = line.cells()
    failed = 0
    for number, cell in enumerate(cells, start=1):
        log.info("%d of %d: %s", number, len(cells), cell.title)
        try:
            evaluate(line.compose(cell), lines=cell.lines, again=cfg.again, brief=True)
        except Exception as error:  # the others are scored all the same
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                raise
            failed += 1
            log.error("failed: %s: %s", cell.title, "\n".join(message(error)[:LINES]))
    log.info("in one table: python -m seg.compare %s", line.shown)
    if failed:
        raise ValueError(f"{failed} of {len(cells)} could not be scored, see above; all others are")


def evaluate(
    cfg: DictConfig, *, lines: Sequence[str] = (), again: bool = True, brief: bool = False
) -> dict[str, Any]:
    """Score a checkpoint on one set of cases and write the results; returns those of the JSON.

    Args:
        lines: the overrides that made `cfg`; the results say which of them chose the cases.
        again: whether results that are there already, of the same files, are made once more.
        brief: whether one line says what came out.
    """
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
    also = figures.formats(compose.plain(cfg)["figures"])
    facts = inputs_of(cfg, run, model, cases, predict)
    facts |= {"given": as_given(lines, cfg.dataset.root, flags())} if lines else {}
    before = written(folder / f"{name}.json")
    if not again and before.get("inputs") == facts["inputs"]:
        log.info("%s: there already, of the same files (again=true makes it anew)", folder)
        return before
    atomic.require_writable(folder, "output")
    if before and before.get("data") != str(data):
        log.warning(
            "%s: results of %s are replaced; output=DIR keeps both", folder, before.get("data")
        )
    if facts["seen"] and "_target_" in cfg.dataset:
        log.warning(
            "%s: of its %d cases the training of this network had %s: the figures are too high",
            name, len(cases), ", ".join(f"{n} in {split}" for split, n in facts["seen"].items()),
        )  # fmt: skip
    owned = evaluation_files(name)
    with atomic.replacing_files(folder, last=f"{name}.json", owned=owned) as new:
        path = new / f"{name}.json"
        scores, by_protocol, unit = score_cases(
            predict(cases), model, protocols, tolerance=cfg.tolerance
        )
        curves = {}
        if robustness is not None:
            corrupted = robustness.measure(predict, cases, model, scores)
            scores, curves = corrupted.scores, {"robustness": corrupted.summary()}
            corrupted.write(robustness_path(path), model.classes)
            draw_robustness(
                {f"{name}, {model.path.name}": curves["robustness"]},
                new / "robustness.png",
                also=also,
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
            protocols=by_protocol,
            **curves,
            **facts,
        )
        summary.write_scores(table_path(path), scores, model.classes)
        diagnostics.draw(scores, model.classes, content["threshold"], new, also=also)
        case_panels.draw(
            scores,
            model,
            cases,
            predict,
            new / "panels",
            title=name,
            rows=build.PANEL_ROWS,
            also=also,
        )
        atomic.write_json(path, content)
    show = results.show_briefly if brief else results.show_evaluation
    show(content, folder, Console())
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
    source = build_source(cfg)
    require_data(cfg.dataset, source)
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


def written(path: Path) -> dict[str, Any]:
    """The results that are there under this name; empty without any, or if they are torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if table_path(path).is_file() else {}
    except (FileNotFoundError, ValueError):
        return {}


def inputs_of(
    cfg: DictConfig, run: RunFolder, model: LoadedModel, cases: Sequence[Case], predict: Predict
) -> dict[str, Any]:
    """What the JSON says of the files."""
    index_map = predict.keywords.get("index_map")
    settings = {
        "preprocessing": repr(predict.keywords["preprocessing"]),
        "classes": None if index_map is None else index_map.tolist(),
        **{
            k: compose.plain(cfg)[k]
            for k in ("tolerance", "tta", "tta_check", "trainer", "protocol")
        },
    }
    return describe_inputs(run, model.path, cases, settings, progress=progress.with_bar)


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
