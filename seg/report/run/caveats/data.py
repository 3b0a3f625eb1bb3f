"""Caveats about the data: whether test cases were truly apart from the training."""

from collections.abc import Iterator

from seg.report.run.caveats.caveat import Caveat, counted
from seg.report.run.evidence import Evidence

FEW_VAL = 10


def caveats(evidence: Evidence) -> Iterator[Caveat]:
    """In the order in which they are to be read."""
    allocation = evidence.allocation
    if allocation is None:
        if evidence.results:
            yield Caveat(
                "split unknown",
                "The run folder has no usable split.csv: whether the test cases were apart from "
                "the training cannot be told.",
                grave=True,
            )
        return
    if allocation.parted_groups:
        yield Caveat(
            "groups parted",
            f"{counted(len(allocation.parted_groups), 'group')} with cases on both sides of the "
            "split: the test is not of unseen groups, and its figures are too high.",
            "train again with dataset.split.by=group",
            grave=True,
            names=tuple(allocation.parted_groups),
        )
    if allocation.parted:
        pairs = tuple(f"{a} = {b}" for a, b in allocation.parted)
        yield Caveat(
            "duplicates parted",
            f"{counted(len(pairs), 'pair')} of byte-equal images in two splits: the "
            "network was tested, or chosen, on images that it was trained on.",
            "train again with dataset.split.duplicates=together",
            grave=True,
            names=pairs,
        )
    near = _near(evidence)
    if near:
        yield Caveat(
            "near-duplicates parted",
            f"{counted(len(near), 'pair')} of images that look alike in two splits, by the "
            "audit of the data: the figures may be too high.",
            "train again with dataset.split.duplicates=together, which keeps them in one",
            grave=True,
            names=near,
        )
    if evidence.get("dataset.split.duplicates") == "ignore":
        yield Caveat(
            "duplicates ignored",
            "The split was drawn with dataset.split.duplicates=ignore: images that look alike may "
            "lie in training and test, and would make the figures too high.",
            "train again with dataset.split.duplicates=together",
        )
    if evidence.get("dataset.split.by") == "file":
        yield Caveat(
            "split by file",
            "The split was drawn by file (dataset.split.by=file): groups were not kept together, "
            "so the same patient may be in training and test. The figures are too high if so.",
            "dataset.split.by=group, unless every file is of another patient",
        )
    elif not allocation.grouped:
        yield Caveat(
            "groups unknown",
            "Groups are unknown: every file counts as a patient of its own. Where several images "
            "are of one patient or video, the same one may be in training and test: the figures "
            "are then too high, and the intervals too narrow.",
            "say how files belong together (dataset.group), and train again",
        )
    if evidence.get("init_from"):
        yield Caveat(
            "other weights",
            "The training started from the weights of another (init_from). Whether these had seen "
            "the test cases, this run does not tell.",
            names=(str(evidence.get("init_from")),),
        )
    if allocation.cases["val"] < FEW_VAL:
        yield Caveat(
            "few validation cases",
            f"The best epoch was chosen on {counted(allocation.cases['val'], 'validation case')}: "
            "the choice is partly luck.",
            "a larger dataset.split.val, or folds",
        )
    if evidence.audit is None:
        return
    errors = evidence.audit["errors"]
    if errors:
        said = tuple(str(error["text"]) for error in errors)
        yield Caveat("audit", "The audit of the data found errors.", grave=True, names=said)


def _near(evidence: Evidence) -> tuple[str, ...]:
    """Pairs that the audit found alike, and this run's split parts."""
    if evidence.audit is None or evidence.allocation is None:
        return ()
    splits = evidence.allocation.splits
    equal = {frozenset(pair) for pair in evidence.allocation.equal}
    return tuple(
        f"{a} ~ {b}"
        for a, b in evidence.audit["near_duplicates"]
        if frozenset((a, b)) not in equal and splits.get(a) != splits.get(b)
    )
