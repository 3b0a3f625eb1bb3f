"""Caveats about the data: whether the test cases were apart from the training."""

from collections.abc import Iterator
from typing import Any

from seg.report.run.caveats import Caveat
from seg.report.text import counted
from seg.runs.folder import RunFolder
from seg.runs.split_table import SplitTable

FEW_VAL = 10
TOGETHER = "train again with dataset.split.duplicates=together"


def data_caveats(run: RunFolder, audit: dict[str, Any] | None) -> Iterator[Caveat]:
    """In the order in which they are to be read.

    Args:
        audit: what `seg.prepare` wrote about the same files, if it did.
    """
    if run.split is None:
        if run.results:
            yield Caveat(
                "split unknown",
                "The run folder has no usable split.csv: whether the test cases were apart from "
                "the training cannot be told.",
                grave=True,
            )
        return
    yield from _leaks(run.split, audit)
    yield from _grouping(run, run.split)
    if run.get("init_from"):
        yield Caveat(
            "other weights",
            "The training started from the weights of another (init_from). Whether these had seen "
            "the test cases, this run does not tell.",
            names=(str(run.get("init_from")),),
        )
    if run.split.cases["val"] < FEW_VAL:
        yield Caveat(
            "few validation cases",
            f"The best epoch was chosen on {counted(run.split.cases['val'], 'validation case')}: "
            "the choice is partly luck.",
            "a larger dataset.split.val, or folds",
        )
    if audit is not None and audit["errors"]:
        errors = tuple(str(error["text"]) for error in audit["errors"])
        yield Caveat("audit", "The audit of the data found errors.", grave=True, names=errors)


def _leaks(split: SplitTable, audit: dict[str, Any] | None) -> Iterator[Caveat]:
    """Groups and images that are in two splits."""
    if split.parted_groups:
        yield Caveat(
            "groups parted",
            f"{counted(len(split.parted_groups), 'group')} with cases on both sides of the "
            "split: the test is not of unseen groups, and its figures are too high.",
            "train again with dataset.split.by=group",
            grave=True,
            names=tuple(split.parted_groups),
        )
    if split.parted:
        pairs = tuple(f"{a} = {b}" for a, b in split.parted)
        yield Caveat(
            "duplicates parted",
            f"{counted(len(pairs), 'pair')} of byte-equal images in two splits: the "
            "network was tested, or chosen, on images that it was trained on.",
            TOGETHER,
            grave=True,
            names=pairs,
        )
    near = _near_duplicates(split, audit)
    if near:
        yield Caveat(
            "near-duplicates parted",
            f"{counted(len(near), 'pair')} of images that look alike in two splits, by the "
            "audit of the data: the figures may be too high.",
            f"{TOGETHER}, which keeps them in one",
            grave=True,
            names=near,
        )


def _near_duplicates(split: SplitTable, audit: dict[str, Any] | None) -> tuple[str, ...]:
    """Pairs that look alike by the audit, and are in two splits of this run."""
    if audit is None:
        return ()
    equal = {frozenset(pair) for pair in split.equal}
    return tuple(
        f"{a} ~ {b}"
        for a, b in audit["near_duplicates"]
        if frozenset((a, b)) not in equal and split.splits.get(a) != split.splits.get(b)
    )


def _grouping(run: RunFolder, split: SplitTable) -> Iterator[Caveat]:
    """How the split was drawn."""
    if run.get("dataset.split.duplicates") == "ignore":
        yield Caveat(
            "duplicates ignored",
            "The split was drawn with dataset.split.duplicates=ignore: images that look alike may "
            "lie in training and test, and would make the figures too high.",
            TOGETHER,
        )
    if run.get("dataset.split.by") == "file":
        yield Caveat(
            "split by file",
            "The split was drawn by file (dataset.split.by=file): groups were not kept together, "
            "so the same patient may be in training and test. The figures are too high if so.",
            "dataset.split.by=group, unless every file is of another patient",
        )
    elif not split.grouped:
        yield Caveat(
            "groups unknown",
            "Groups are unknown: every file counts as a patient of its own. Where several images "
            "are of one patient or video, the same one may be in training and test: the figures "
            "are then too high, and the intervals too narrow.",
            "say how files belong together (dataset.group), and train again",
        )
