"""`seg.compare figure=cases`: which cases and networks are shown, and their predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from seg.cli.stored_run import build_loader, run_source
from seg.comparison.configurations import ComparedRun
from seg.data.split.draw import SPLITS
from seg.evaluation.cases import run_cases
from seg.evaluation.stream import PredictedCase, stream
from seg.inference.model import LoadedModel
from seg.inference.patches import for_whole_images
from seg.inference.segmentation import mask_of
from seg.metrics.overlap import METRICS
from seg.report import case_figure
from seg.report.case_figure import ShownCase
from seg.training import progress

FILE = "cases.png"
NETWORKS = 6  # columns


def draw_cases(
    cfg: DictConfig, networks: Mapping[str, Sequence[ComparedRun]], path: Path, also: Sequence[str]
) -> None:
    """Predict some test cases by the networks of a comparison, and draw them side by side.

    A network of several seeds is shown by its first run, one of several folds by that which was
    tested on the case.

    Args:
        cfg: of `seg.compare`.
        networks: runs by the name of their configuration, the best first.
        path: of the PNG.
        also: formats beside it, as in `report.figures.save`.
    Raises:
        ValueError: the results are not of the runs' own cases, a case is none of them, or classes
            differ.
    """
    split = cfg.source.rpartition("/")[2]
    if split not in SPLITS:
        raise ValueError(f"figure=cases: source={cfg.source} is not of the runs' own cases")
    networks = dict(list(networks.items())[:NETWORKS])
    names = choose(list(networks.values()), cfg.cases)
    shown: dict[str, dict[str, tuple[PredictedCase, Any]]] = {name: {} for name in names}
    classes: dict[str, list[str]] = {}
    loader = build_loader(cfg)
    for label, runs in networks.items():
        for run, wanted in _by_run(runs, names).items():
            model = loader.load_run(run.folder.path, "best")
            classes[label] = list(model.classes)
            for prediction in _predicted(model, run, wanted, split, cfg.root):
                mask = mask_of(prediction.probs, model)
                shown[prediction.case.pair.case][label] = prediction, mask
    first = next(iter(classes.values()))
    for label, own in classes.items():
        if own != first:
            raise ValueError(
                f"figure=cases: {label} has the classes {', '.join(own)}, not {', '.join(first)}"
            )
    rows = []
    for name, by_label in shown.items():
        one = by_label[next(iter(networks))][0]
        masks = [by_label[label][1] for label in networks]
        rows.append(ShownCase(Path(name).name, one.image, one.reference, masks))
    case_figure.draw(rows, list(networks), path, class_names=first, also=also)


def choose(networks: Sequence[Sequence[ComparedRun]], cases: Any) -> list[str]:
    """The names of the cases to show.

    Args:
        networks: the runs of each.
        cases: names, or how many: they are spread evenly from the lowest to the highest Dice, mean
            over classes and networks.
    Raises:
        ValueError: a name is no case of every network; it names the nearest problem.
    """
    scores: dict[str, list[float]] = {}
    for runs in networks:
        known: dict[str, float] = {}
        for table in (run.table for run in runs):
            dice = METRICS["dice"](*np.moveaxis(table.counts, -1, 0)).mean(1)
            known |= {n: d for n, d in zip(table.cases, dice, strict=True) if n not in known}
        for name, dice in known.items():
            scores.setdefault(name, []).append(float(dice))
    shared = {n: np.mean(values) for n, values in scores.items() if len(values) == len(networks)}
    if not isinstance(cases, int):
        missing = [name for name in cases if name not in shared]
        if missing:
            raise ValueError(f"cases={missing[0]}: no such test case of every network")
        return list(cases)
    ordered = sorted(shared, key=lambda name: (shared[name], name))
    places = np.linspace(0, len(ordered) - 1, min(cases, len(ordered))).round().astype(int)
    return [ordered[i] for i in np.unique(places)]


def _by_run(runs: Sequence[ComparedRun], names: Sequence[str]) -> dict[ComparedRun, list[str]]:
    """Which run shows which case: the first that was tested on it."""
    chosen: dict[ComparedRun, list[str]] = {}
    for name in names:
        run = next(run for run in runs if name in run.table.cases)
        chosen.setdefault(run, []).append(name)
    return chosen


def _predicted(
    model: LoadedModel, run: ComparedRun, names: Sequence[str], split: str, root: str | None
) -> list[PredictedCase]:
    source = run_source(run.folder, root)
    cases = run_cases(run.folder, source, split, only=names, progress=progress.with_bar)
    predicted = stream(cases, predictor=for_whole_images(model), preprocessing=model.preprocessing)
    return list(predicted)
