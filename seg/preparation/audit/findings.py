"""A finding: one line on one kind of fault, with the files and cases that have it."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seg.preparation.audit.facts import CaseFacts


@dataclass
class Context:
    """What the findings are drawn from. pixels: of each case, those of background and classes."""

    facts: Sequence[CaseFacts]
    splits: Sequence[str] | None
    near: list[tuple[int, int]]
    pixels: list[list[int] | None]
    names: list[str]
    discovered: dict | None
    rims: list[str] | None
    image_size: tuple[int, int] | None

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
            path, case = f.image.as_posix(), f.case.partition("#")[0]
            self.root = path.removesuffix(case) if path.endswith(case) else ""

    def short(self, text: Path | str) -> str:
        text = text.as_posix() if isinstance(text, Path) else text
        return text.replace(self.root, "") if self.root else text

    def where(self, holds: Callable[[CaseFacts], bool]) -> list[int]:
        return [i for i, f in enumerate(self.facts) if holds(f)]

    def on_images(self, kind: str, text: str, cases: Iterable[int]) -> dict:
        cases = list(cases)
        return finding(kind, text, [self.facts[i].case for i in cases], cases)

    def on_masks(self, kind: str, text: str, cases: Iterable[int]) -> dict:
        cases = list(cases)
        return finding(kind, text, [self.short(self.facts[i].mask) for i in cases], cases)

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
    return {
        "kind": kind,
        "text": text,
        "files": list(files),
        "cases": list(cases),
        "details": list(details),
    }


def identity(facts: CaseFacts) -> Hashable | None:
    """Equal for one and the same image, to the byte; None if its file cannot be read."""
    return None if facts.image_sha256 is None else (facts.image_sha256, facts.plane)


def counted(count: int, noun: str) -> str:
    return f"{count} {noun if count == 1 else noun + 's'}"


def are(count: int, noun: str) -> str:
    return f"{counted(count, noun)} {'is' if count == 1 else 'are'}"
