"""What a reader of the figures must know, worked out from the run folder alone.

Here is when each caveat applies; its words are in templates/caveats.toml.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from seg.report.run import sentences
from seg.report.text import UNSTATED, counted, limits, number, some
from seg.runs.case_table import CaseTable
from seg.runs.folder import RunFolder
from seg.runs.results import Result
from seg.runs.split_table import SplitTable

WORDS = tomllib.loads(
    resources.files("seg.report").joinpath("templates/caveats.toml").read_text("utf-8")
)
FEW_VALIDATION_CASES = 10
FEW_TEST_GROUPS = 30
WIDE = 0.1  # interval of Dice, end to end
LOW, BELOW = 0.5, 0.15  # Dice of a class: low in itself, or below the mean
EMPTY = 1 / 3  # share of the references
GAP = 0.15  # Dice of training above that of validation


@dataclass(frozen=True)
class Caveat:
    """A limit of the figures.

    Args:
        kind: two or three words.
        text: what is so, and what follows from it.
        fix: what to do about it, "" if nothing.
        grave: whether the figures may be wrong, rather than uncertain or few.
        names: files, cases or groups that it is about. They may name patients, so that a model
            card leaves them out.
    """

    kind: str
    text: str
    fix: str = ""
    grave: bool = False
    names: tuple[str, ...] = ()

    @property
    def with_names(self) -> str:
        """The text, and the first of the names."""
        return f"{self.text} These: {some(self.names)}." if self.names else self.text


def find_caveats(
    run: RunFolder, audit: Mapping[str, Any] | None, problems: Iterable[str]
) -> list[Caveat]:
    """All that apply, the grave ones first: about the data, the figures, the training, the files.

    Args:
        audit: what `seg.prepare` wrote about the same files, if it did.
        problems: what is missing or broken in the run folder.
    """
    caveats = [*_data_caveats(run, audit), *_figure_caveats(run), *_training_caveats(run)]
    caveats += [_caveat("broken file", problem=problem) for problem in problems]
    return sorted(caveats, key=lambda caveat: not caveat.grave)


def _caveat(key: str, names: Iterable[str] = (), **values: Any) -> Caveat:
    words = WORDS[key]
    text = words["text"].format(**values)
    return Caveat(
        words.get("kind", key), text, words.get("fix", ""), words.get("grave", False), tuple(names)
    )


def _data_caveats(run: RunFolder, audit: Mapping[str, Any] | None) -> Iterator[Caveat]:
    """Whether the test cases were apart from the training."""
    split = run.split
    if split is None:
        if run.results:
            yield _caveat("split unknown")
        return
    if split.groups_in_two_splits:
        groups = counted(len(split.groups_in_two_splits), "group")
        yield _caveat("groups parted", split.groups_in_two_splits, groups=groups)
    if parted := sentences.parted_duplicates(run):
        names = [f"{a} = {b}" for a, b in parted]
        yield _caveat("duplicates parted", names, pairs=counted(len(names), "pair"))
    if near := _near_duplicates(split, audit):
        yield _caveat("near-duplicates parted", near, pairs=counted(len(near), "pair"))
    if run.get("dataset.split.duplicates") == "ignore":
        yield _caveat("duplicates ignored")
    if run.get("dataset.split.by") == "file":
        yield _caveat("split by file")
    elif not split.has_groups:
        yield _caveat("groups unknown")
    if run.get("init_from"):
        yield _caveat("other weights", [str(run.get("init_from"))])
    if split.cases["val"] < FEW_VALIDATION_CASES:
        yield _caveat("few validation cases", cases=counted(split.cases["val"], "validation case"))
    if audit is not None and audit["errors"]:
        yield _caveat("audit", [str(error["text"]) for error in audit["errors"]])


def _near_duplicates(split: SplitTable, audit: Mapping[str, Any] | None) -> list[str]:
    """Pairs that look alike by the audit, are not byte-equal, and are in two splits of this run."""
    equal = {frozenset(pair) for pair in split.equal_images}
    return [
        f"{a} ~ {b}"
        for a, b in (audit or {}).get("near_duplicates", [])
        if frozenset((a, b)) not in equal and split.splits.get(a) != split.splits.get(b)
    ]


def _figure_caveats(run: RunFolder) -> Iterator[Caveat]:
    """How they were made, how few cases they stand on, which cases and classes fail."""
    if run.test is None:
        if run.status == "finished":
            yield _caveat("no test")
    elif not any(r.split == "test" and r.size is None for r in run.evaluations):
        yield _caveat("training size only", size=run.test.resolution)
    for result in run.results:
        yield from _result_caveats(result, run)
        if result is run.results[0]:  # the others are about the same cases
            yield from _count_caveats(result)
            if result.table is not None:
                yield from _case_caveats(result.table)
            yield from _class_caveats(result)


def _result_caveats(result: Result, run: RunFolder) -> Iterator[Caveat]:
    failed = result.facts.get("failed")
    if isinstance(failed, int) and failed:
        where = "" if result.name == "test" else f" ({result.name})"
        failures = counted(failed, "prediction")
        yield _caveat("failed predictions", failed=failures, cases=result.cases, where=where)
    if tuned := result.tuned(run.get("threshold")):
        yield _caveat("tuned on validation", result=result.name, tuned="; ".join(tuned))
    if not result.of_best:
        yield _caveat("other checkpoint", result=result.name, checkpoint=result.checkpoint)


def _count_caveats(result: Result) -> Iterator[Caveat]:
    if result.groups < FEW_TEST_GROUPS:
        noun = "group" if result.groups < result.cases else "case"
        yield _caveat("few test cases", cases=counted(result.groups, noun))
    dice = result.metrics.get("dice")
    if dice is not None and dice.high - dice.low > WIDE:
        width = number(dice.high - dice.low, 3)
        yield _caveat("wide interval", width=width, limits=limits(dice.low, dice.high, 3))


def _case_caveats(table: CaseTable) -> Iterator[Caveat]:
    tp, fp, fn, _ = np.moveaxis(table.counts, -1, 0)  # each (M, C)
    filled = (tp + fn).sum(1) > 0
    empty, share = int((~filled).sum()), float((~filled).mean())
    names = np.array(table.cases)
    missed = names[filled & (tp.sum(1) == 0)].tolist()
    alarms = names[~filled & (fp.sum(1) > 0)].tolist()
    if missed:
        yield _caveat("missed altogether", missed, cases=counted(len(missed), "test case"))
    if alarms:
        cases = counted(empty, "test case")
        yield _caveat("false alarms", alarms, alarms=len(alarms), cases=cases)
    if share > EMPTY:
        yield _caveat("mostly empty", percent=100 * share)
    for j in np.flatnonzero(~table.existing):
        count = counted(int((fp[:, j] > 0).sum()), "test case")
        yield _caveat("class without pixels", name=table.classes[j], cases=count)


def _class_caveats(result: Result) -> Iterator[Caveat]:
    mean = result.metrics.get("dice") if len(result.classes) > 1 else None
    for name, figures in result.classes.items():
        if "dice" not in figures:
            continue
        dice = figures["dice"].value
        if mean is not None and mean.value - dice > BELOW:
            yield _caveat("class below the others", name=name, dice=dice, mean=mean.value)
        elif dice < LOW:
            yield _caveat("low class", name=name, dice=dice)


def _training_caveats(run: RunFolder) -> Iterator[Caveat]:
    """How it ended, and what one run cannot tell."""
    status = sentences.status(run)
    if status != "finished":
        key = status if WORDS.get(status, {}).get("kind") == "not finished" else "other status"
        error = sentences.error(run)
        yield _caveat(key, status=status, error=f": {error}" if error else ".")
    if run.best_epoch is not None and run.epochs:
        yield from _epoch_caveats(run, run.best_epoch)
    commit = run.facts.get("git_commit")
    if run.facts and (commit is None or str(commit).endswith("+")):
        where = "outside a checkout" if commit is None else "with changes that no commit holds"
        yield _caveat("code not pinned", where=where)
    fold, folds = run.get("dataset.split.fold"), run.get("dataset.split.folds")
    if fold is not None and folds:
        yield _caveat("one fold", fold=fold, folds=folds)
    if run.results:
        yield _caveat("one seed", seed=run.get("seed", UNSTATED))


def _epoch_caveats(run: RunFolder, best: int) -> Iterator[Caveat]:
    last, planned = int(run.epochs[-1]["epoch"]), _planned_epochs(run)
    if run.status == "finished" and planned is not None and last < planned:
        patience = run.get("early_stopping")
        key = "stopped early" if isinstance(patience, int) else "fewer epochs"
        yield _caveat(key, last=last, planned=planned, patience=patience)
    if best == last and last > 1:
        yield _caveat("still improving", last=last)
    row = next((r for r in run.epochs if int(r["epoch"]) == best), {})
    train, val = row.get("train/dice"), row.get("val/dice")
    if isinstance(train, float) and isinstance(val, float) and train - val > GAP:
        yield _caveat("fits its training", train=train, val=val)


def _planned_epochs(run: RunFolder) -> int | None:
    """What the configuration asks for, all stages together."""
    stages = run.get("stages")
    stages = stages.values() if isinstance(stages, Mapping) else ()
    planned = [run.get("trainer.max_epochs")]
    planned += [stage.get("max_epochs") for stage in stages if isinstance(stage, Mapping)]
    return sum(planned) if all(isinstance(count, int) for count in planned) else None
