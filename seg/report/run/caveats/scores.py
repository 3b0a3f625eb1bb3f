"""Caveats about the figures: how few cases they stand on, and which cases or classes fail."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seg.report.run.caveats import Caveat
from seg.report.text import counted, number
from seg.runs.case_table import CaseTable
from seg.runs.folder import RunFolder
from seg.runs.results import Result

FEW = 30  # groups
WIDE = 0.1  # of the interval of Dice, end to end
LOW, BELOW = 0.5, 0.15  # Dice of a class: low in itself, or below the mean
EMPTY = 1 / 3  # of the references


def score_caveats(run: RunFolder) -> Iterator[Caveat]:
    """In the order in which they are to be read."""
    test = run.test
    if test is None:
        if run.status == "finished":
            yield Caveat(
                "no test",
                "The run has no test figures: no cases were held out (dataset.split.test=0), or "
                "test.json is missing.",
                grave=True,
            )
    elif not any(r.split == "test" and r.size is None for r in run.evaluations):
        yield Caveat(
            "training size only",
            f"The test was made at {test.resolution}, the size of training. At the masks' own size "
            "the figures are usually somewhat different, and only these compare with other work.",
            "python -m seg.evaluate run=RUN",
        )
    for result in run.results:
        yield from _making(result, run)
        if result is run.results[0]:  # the others are about the same cases
            yield from _few_cases(result)
            yield from _failing_cases(result)
            yield from _failing_classes(result)


def _making(result: Result, run: RunFolder) -> Iterator[Caveat]:
    """How a result was made: what failed, what was tuned, with which weights."""
    where = "" if result.name == "test" else f" ({result.name})"
    failed = result.facts.get("failed")
    if isinstance(failed, int) and failed:
        yield Caveat(
            "failed predictions",
            f"{counted(failed, 'prediction')} of {result.cases} held no numbers{where}: they count "
            "as wrong everywhere.",
            grave=True,
        )
    tuned = result.tuned(run.get("threshold"))
    if tuned:
        yield Caveat(
            "tuned on validation",
            f"In {result.name}, {'; '.join(tuned)} was chosen on the validation cases: its "
            "figures are of that clean-up, the training's own test is of the network without it, "
            "and figures of validation with it are too high.",
        )
    if not result.of_best:
        yield Caveat(
            "other checkpoint",
            f"{result.name} is of {result.checkpoint}, not of the best weights that the "
            "training's own test used.",
        )


def _few_cases(result: Result) -> Iterator[Caveat]:
    noun = "group" if result.groups < result.cases else "case"
    if result.groups < FEW:
        yield Caveat(
            "few test cases",
            f"The test stands on {counted(result.groups, noun)}: with so few, the bootstrap's "
            "interval is itself uncertain, and rather too narrow.",
            "more test cases, or folds (dataset.split.folds)",
        )
    dice = result.metrics.get("dice")
    if dice is not None and dice.high - dice.low > WIDE:
        yield Caveat(
            "wide interval",
            f"The interval of Dice is {number(dice.high - dice.low, 3)} wide "
            f"({number(dice.low, 3)} to {number(dice.high, 3)}): differences to other networks "
            "that are smaller than that show nothing by themselves.",
        )


def _failing_cases(result: Result) -> Iterator[Caveat]:
    table = result.table
    if table is None:
        return
    tp, fp, fn, _ = np.moveaxis(table.counts, -1, 0)  # each (M, C)
    filled = (tp + fn).sum(1) > 0
    missed = _names(table, filled & (tp.sum(1) == 0))
    if missed:
        yield Caveat(
            "missed altogether",
            f"{counted(len(missed), 'test case')} with nothing found right, Dice 0.",
            names=missed,
        )
    alarms = _names(table, ~filled & (fp.sum(1) > 0))
    if alarms:
        yield Caveat(
            "false alarms",
            f"In {len(alarms)} of {counted(int((~filled).sum()), 'test case')} without foreground "
            "something was found.",
            names=alarms,
        )
    empty = float((~filled).mean())
    if empty > EMPTY:
        yield Caveat(
            "mostly empty",
            f"{100 * empty:.0f} % of the test masks are empty. An empty mask that stays empty "
            "counts as Dice 1: dice_positive, over images with foreground, says more.",
        )


def _names(table: CaseTable, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(table.cases[i] for i in np.flatnonzero(chosen))


def _failing_classes(result: Result) -> Iterator[Caveat]:
    mean = result.metrics.get("dice")
    several = len(result.classes) > 1
    for name, figures in result.classes.items():
        dice = figures.get("dice")
        if dice is None:
            continue
        below = several and mean is not None and mean.value - dice.value > BELOW
        if dice.value < LOW or below:
            beside = f", where the mean of the classes is {mean.value:.3f}" if below else ""
            yield Caveat("low class", f"{name} has a Dice of {dice.value:.3f} only{beside}.")
