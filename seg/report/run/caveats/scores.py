"""Caveats about the figures: how few cases they stand on, and which cases or classes fail."""

from collections.abc import Iterator

import numpy as np

from seg.report.comparison.text import number
from seg.report.run.caveats.caveat import Caveat, counted
from seg.report.run.evidence import Evidence
from seg.runs.results import Result

FEW = 30  # groups
WIDE = 0.1  # of the interval of Dice, end to end
LOW, BELOW = 0.5, 0.15  # Dice of a class: low in itself, or below the mean
EMPTY = 1 / 3  # of the references


def caveats(evidence: Evidence) -> Iterator[Caveat]:
    """In the order in which they are to be read."""
    test = evidence.test
    if test is None:
        if evidence.status == "finished":
            yield Caveat(
                "no test",
                "The run has no test figures: no cases were held out (dataset.split.test=0), or "
                "test.json is missing.",
                grave=True,
            )
    elif not any(_own(r) and r.size is None for r in evidence.evaluations):
        yield Caveat(
            "training size only",
            f"The test was made at {test.resolution}, the size of training. At the masks' own size "
            "the figures are usually somewhat different, and only these compare with other work.",
            "python -m seg.evaluate run=RUN",
        )
    for result in evidence.results:
        yield from _of(result, evidence)


def _own(result: Result) -> bool:
    return result.split == "test"


def _of(result: Result, evidence: Evidence) -> Iterator[Caveat]:
    """result: each in turn; what is the same in all is said of the first."""
    first = result is evidence.results[0]
    where = "" if result.name == "test" else f" ({result.name})"
    failed = result.facts.get("failed")
    if isinstance(failed, int) and failed:
        yield Caveat(
            "failed predictions",
            f"{counted(failed, 'prediction')} of {result.cases} held no numbers{where}: they count "
            "as wrong everywhere.",
            grave=True,
        )
    yield from _tuned(result, evidence)
    if not result.of_best:
        used = str(result.facts["checkpoint"]).replace("\\", "/").rpartition("/")[2]
        yield Caveat(
            "other checkpoint",
            f"{result.name} is of {used}, not of the best weights that the "
            "training's own test used.",
        )
    if not first:
        return
    yield from _few(result)
    yield from _cases(result)
    yield from _classes(result)


def _tuned(result: Result, evidence: Evidence) -> Iterator[Caveat]:
    chosen = result.tuned(evidence.get("threshold"))
    if not chosen:
        return
    yield Caveat(
        "tuned on validation",
        f"In {result.name}, {'; '.join(chosen)} was chosen on the validation cases: its "
        "figures are of that clean-up, the training's own test is of the network without it, and "
        "figures of validation with it are too high.",
    )


def _few(result: Result) -> Iterator[Caveat]:
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


def _cases(result: Result) -> Iterator[Caveat]:
    table = result.table
    if table is None:
        return
    tp, fp, fn, _ = np.moveaxis(table.counts, -1, 0)  # each (M, C)
    there = (tp + fn).sum(1) > 0
    missed = [c for c, no in zip(table.cases, there & (tp.sum(1) == 0), strict=True) if no]
    if missed:
        yield Caveat(
            "missed altogether",
            f"{counted(len(missed), 'test case')} with nothing found right, Dice 0.",
            names=tuple(missed),
        )
    alarms = [c for c, no in zip(table.cases, ~there & (fp.sum(1) > 0), strict=True) if no]
    if alarms:
        yield Caveat(
            "false alarms",
            f"In {len(alarms)} of {counted(int((~there).sum()), 'test case')} without foreground "
            "something was found.",
            names=tuple(alarms),
        )
    empty = float((~there).mean())
    if empty > EMPTY:
        yield Caveat(
            "mostly empty",
            f"{100 * empty:.0f} % of the test masks are empty. An empty mask that stays empty "
            "counts as Dice 1: dice_positive, over images with foreground, says more.",
        )


def _classes(result: Result) -> Iterator[Caveat]:
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
