"""A finding: one line on one kind of fault, with the files and cases that have it. The errors."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seg.data.unknown_values import UnknownValues
from seg.preparation.audit.facts import GEOMETRY, UNPAIRED, UNREADABLE, VALUES, CaseFacts, Fault

_HEADLINES = {
    UNREADABLE: ("{} cannot be read", "file"),
    GEOMETRY: ("{} of another size or orientation than the mask", "image"),
    VALUES: ("{} with values that are not the classes'", "mask"),
}


@dataclass
class AuditedSet:
    """All that findings are made from.

    Args:
        facts: of each case.
        splits: the label of each case, if there is a split.
        near: index pairs of near-duplicate images.
        pixels: of each case, the pixels of background and of each class.
        names: of the classes.
        discovered: classes that the masks suggest; rims: greys that are soft outlines of one class.
        image_size: (H, W) of training.
        by_file: whether the split takes each file for a group of its own, whatever the data say.
        class_map: one line for all masks with values of no class, instead of one for each.
    """

    facts: Sequence[CaseFacts]
    splits: Sequence[str] | None
    near: list[tuple[int, int]]
    pixels: list[list[int] | None]
    names: list[str]
    discovered: dict | None
    rims: list[str] | None
    image_size: tuple[int, int] | None
    by_file: bool = False
    class_map: str = ""

    def __post_init__(self) -> None:
        first: dict[Hashable, int] = {}
        identities = [identity(f) for f in self.facts]
        self.equal = [
            (first[key], i)
            for i, key in enumerate(identities)
            if key is not None and first.setdefault(key, i) != i
        ]
        self.root = ""
        for f in self.facts[:1]:
            path, case = f.pair.image.as_posix(), f.case.partition("#")[0]
            self.root = path.removesuffix(case) if path.endswith(case) else ""

    def short(self, text: Path | str) -> str:
        """A path, or a text with paths, relative to the root."""
        text = text.as_posix() if isinstance(text, Path) else text
        return text.replace(self.root, "") if self.root else text

    def where(self, condition: Callable[[CaseFacts], bool]) -> list[int]:
        return [i for i, f in enumerate(self.facts) if condition(f)]

    def on_images(self, kind: str, text: str, cases: Iterable[int]) -> dict:
        cases = list(cases)
        return finding(kind, text, [self.facts[i].case for i in cases], cases)

    def on_masks(self, kind: str, text: str, cases: Iterable[int]) -> dict:
        cases = list(cases)
        return finding(
            kind, text, [self.short(p) for i in cases for p in self.facts[i].pair.mask_paths], cases
        )

    def on_pairs(self, kind: str, text: str, pairs: Sequence[tuple[int, int]]) -> dict:
        files = [f"{self.facts[i].case} = {self.facts[j].case}" for i, j in pairs]
        return finding(kind, text, files, list(dict.fromkeys(i for pair in pairs for i in pair)))


def finding(
    kind: str,
    text: str,
    files: Sequence[str] = (),
    cases: Sequence[int] = (),
    details: Sequence[str] = (),
) -> dict:
    """A finding as audit.json has it.

    Args:
        kind: a few words, for the contact sheet.
        text: one line.
        files: all files that it is about, relative to the root.
        cases: their indices.
        details: messages in full.
    """
    lists = {"files": list(files), "cases": list(cases), "details": list(details)}
    return {"kind": kind, "text": text} | lists


def identity(facts: CaseFacts) -> Hashable | None:
    """Equal for images that are equal to the byte; None for unreadable and for blank ones."""
    if facts.image_sha256 is None or facts.blank:
        return None
    return facts.image_sha256, facts.pair.plane


def counted(count: int, noun: str) -> str:
    return f"{count} {noun if count == 1 else noun + 's'}"


def are(count: int, noun: str) -> str:
    return f"{counted(count, noun)} {'is' if count == 1 else 'are'}"


def file_errors(data: AuditedSet, unpaired: Sequence[str]) -> Iterator[dict]:
    """Files that training refuses; unpaired: messages on files that could not be paired."""
    unknown: list[int] = []
    faults: dict[str, dict[str, tuple[int, Fault]]] = defaultdict(dict)
    for i, f in enumerate(data.facts):
        for fault in f.faults:
            if fault.kind == VALUES and data.discovered and data.pixels[i] is not None:
                continue  # one finding below instead of one for every mask
            if isinstance(fault.error, UnknownValues) and data.class_map:
                unknown.append(i)
                continue
            faults[fault.kind].setdefault(fault.text, (i, fault))
    if unpaired:
        messages = [data.short(text) for text in unpaired]
        yield _error(UNPAIRED, "{} cannot be paired", "file", messages)
    if data.discovered:
        listed = ", ".join(map(str, [0, *data.discovered.values()]))
        classes = ", ".join(f"{name}: {value}" for name, value in data.discovered.items())
        keys = f"dataset.classes='{{{classes}}}'"
        yield finding(VALUES, f"the masks hold {listed}: give {keys}, with names of your own")
    if unknown:
        yield data.on_masks(VALUES, data.short(data.class_map), unknown)
    for kind, (headline, noun) in _HEADLINES.items():
        if of_kind := list(faults[kind].values()):
            error = _error(kind, headline, noun, [data.short(fault.text) for _, fault in of_kind])
            error["files"] = [data.short(fault.file) for _, fault in of_kind]
            error["cases"] = list(dict.fromkeys(i for i, _ in of_kind))
            if kind == VALUES and data.rims:
                error["text"] += (
                    f"; {', '.join(data.rims)} seem to be soft rims: "
                    "dataset.mask_threshold=128 cuts them"
                )
            yield error


def _error(kind: str, headline: str, noun: str, messages: list[str]) -> dict:
    """The text is a single message, or a headline with the first of several as an example."""
    text = messages[0]
    if len(messages) > 1:
        text = f"{headline.format(counted(len(messages), noun))}; the first: {text}"
    return finding(kind, text, details=messages)


def split_errors(data: AuditedSet) -> Iterator[dict]:
    """Groups and byte-equal images in several splits."""
    if data.splits is None:
        return
    splits_of: dict[str, set[str]] = defaultdict(set)
    for f, split in zip(data.facts, data.splits, strict=True):
        splits_of[f.group].add(split)
    divided = {group for group, splits in splits_of.items() if len(splits) > 1}
    if divided:
        cases = data.where(lambda f: f.group in divided)
        listed = ", ".join(sorted(divided)[:3]) + (", ..." if len(divided) > 3 else "")
        text = f"{are(len(divided), 'group')} in several splits ({listed}): fix the split"
        yield data.on_images("group in two splits", text, cases)
    apart = [(i, j) for i, j in data.equal if data.splits[i] != data.splits[j]]
    if apart:
        text = f"{are(len(apart), 'image')} again in another split: keep equal ones together"
        yield data.on_pairs("in two splits", text, apart)
