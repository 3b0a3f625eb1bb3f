"""The files of each case, found by their names: the case's own name, then a suffix."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from seg.data.formats import stem_of
from seg.data.pairs import MaskFile

log = logging.getLogger(__name__)

Suffix = str | list[str]  # of names without extension; `*` and `?` stand for any characters

# The image files of a case and its mask files.
Match = tuple[tuple[Path, ...], tuple[MaskFile, ...]]


@dataclass(kw_only=True)
class Matching:
    """Cases of one folder after another, and what was left over in all of them.

    Args:
        image_suffix: the end of image names, before the extension; several are stacked as channels
            in that order.
        mask_suffix: the end of mask names; all files of a case that match are united. Class ->
            suffix where each class has a file of its own.
        allow_missing: whether a case may lack masks.
        problems: a message for every image without a mask and every ambiguous name.
    """

    image_suffix: Suffix = ""
    mask_suffix: Suffix | Mapping[str, Suffix] = ""
    allow_missing: bool = False
    problems: list[str] = field(default_factory=list)
    unused_masks: list[Path] = field(default_factory=list)
    other_masks: Counter[str] = field(default_factory=Counter)  # how else masks of cases end
    unused_images: list[tuple[Path, str]] = field(default_factory=list)  # with what follows a case

    def is_mask(self, file: Path) -> bool:
        """Whether a file beside the images is a mask by its name."""
        of_class = self.mask_suffix
        every = of_class.values() if isinstance(of_class, Mapping) else [of_class]
        return any(stems(stem_of(file), suffix) for one in every for suffix in listed(one))

    def match(
        self, images: Iterable[Path], masks: Mapping[str | None, Sequence[Path]]
    ) -> list[Match]:
        """The cases of one folder, in the order of their images.

        Args:
            masks: files by the class whose masks they are; None where their values say it.
        """
        by_stem = self._stacks(images)
        masks_of: dict[str, list[MaskFile]] = {stem: [] for stem in by_stem}
        for label, files in masks.items():
            suffix = self.mask_suffix
            suffix = listed(suffix[label] if isinstance(suffix, Mapping) else suffix)
            without = by_stem.keys() - self._assign(label, files, suffix, masks_of)
            if not self.allow_missing:
                kind = "mask" if label is None else f"mask of {label}"
                self.problems += [
                    f"{by_stem[stem][0]}: no {kind} named {stem}{' or '.join(suffix)}.*; add it, "
                    "remove the image, or dataset.missing_masks=empty"
                    for stem in by_stem
                    if stem in without
                ]
        cases = by_stem if self.allow_missing else [s for s in by_stem if masks_of[s]]
        return [(by_stem[stem], tuple(masks_of[stem])) for stem in cases]

    def report(self) -> None:
        """Say which files were left over."""
        if self.unused_masks:
            names = ", ".join(mask.name for mask in self.unused_masks[:5])
            log.warning(
                "%d masks have no image and are not used: %s", len(self.unused_masks), names
            )
        if self.other_masks:
            log.info(
                "masks that dataset.mask_suffix leaves out end in %s", _counted(self.other_masks)
            )
        if not self.unused_images:
            return
        key, first = "dataset.image_suffix", self.unused_images[0][0].name
        tails = Counter(tail for _, tail in self.unused_images if tail)
        known = ",".join(listed(self.image_suffix))
        text = f"{len(self.unused_images)} image files do not end in {key}={known}: not used"
        if tails:
            together = ",".join([*listed(self.image_suffix), *sorted(tails)])
            text += f"; of them {_counted(tails)} beside others: '{key}=[{together}]' stacks them"
        log.warning("%s (the first: %s)", text, first)

    def _stacks(self, images: Iterable[Path]) -> dict[str, tuple[Path, ...]]:
        """Case -> its image files in the order of the suffixes."""
        suffixes = listed(self.image_suffix)
        stacks: dict[str, dict[int, Path]] = {}
        others: list[Path] = []
        for file in images:
            name = stem_of(file)
            ends = [(s, k) for k, suffix in enumerate(suffixes) for s in stems(name, suffix)[:1]]
            if not ends:
                others.append(file)
                continue
            stem, number = min(ends, key=lambda end: len(end[0]))  # `a_b` is `_b` rather than ``
            stack = stacks.setdefault(stem, {})
            if number in stack:
                self.problems.append(f"{file}: same name as {stack[number].name}; keep one of them")
            stack[number] = file
        self.unused_images += [(f, _tail(stem_of(f), stacks)) for f in others]
        complete: dict[str, tuple[Path, ...]] = {}
        for stem, stack in stacks.items():
            lacking = [suffixes[k] for k in range(len(suffixes)) if k not in stack]
            if lacking:
                first = stack[min(stack)]
                self.problems.append(
                    f"{first}: no image named {stem}{lacking[0]}.*, which dataset.image_suffix "
                    "wants of each case; add it or remove the image"
                )
            else:
                complete[stem] = tuple(stack[k] for k in range(len(suffixes)))
        return complete

    def _assign(
        self,
        label: str | None,
        files: Sequence[Path],
        suffixes: Sequence[str],
        masks_of: dict[str, list[MaskFile]],
    ) -> set[str]:
        """Add each mask file to its case; returns the cases that got one.

        Of the cases `a` and `a_1`, a mask `a_1_x` is that of the longer name.
        """
        names: dict[str, Path] = {}
        assigned: set[str] = set()
        for file in files:
            name = stem_of(file)
            cases = {stem for suffix in suffixes for stem in stems(name, suffix)}
            if not cases:
                if tail := _tail(name, masks_of):
                    self.other_masks[tail] += 1
                continue
            if name in names:
                self.problems.append(f"{file}: same name as {names[name].name}; keep one of them")
                continue
            names[name] = file
            known = sorted(cases & masks_of.keys(), key=len)
            if known:
                masks_of[known[-1]].append(MaskFile(file, label))
                assigned.add(known[-1])
            else:
                self.unused_masks.append(file)
        return assigned


def listed(suffix: Suffix) -> list[str]:
    return [suffix] if isinstance(suffix, str) else list(suffix)


def stems(name: str, suffix: str) -> list[str]:
    """What is left of a name without its suffix, longest first; [] where it does not end so.

    What a leading `*` or `?` stands for does not begin within a number or a word: `case10` is not
    `case1` and something more.
    """
    pattern = _pattern(suffix)
    if pattern is None:
        return [name.removesuffix(suffix)] if name.endswith(suffix) else []
    ends = (end for end in range(len(name), 0, -1) if pattern.fullmatch(name, end))
    if suffix[0] in "*?":
        ends = (
            end for end in ends if not re.fullmatch(r"\d\d|[^\W\d_]{2}", name[end - 1 : end + 1])
        )
    return [name[:end] for end in ends]


@cache
def _pattern(suffix: str) -> re.Pattern | None:
    if not set(suffix) & set("*?"):
        return None
    return re.compile(re.escape(suffix).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _tail(name: str, cases: Mapping[str, object]) -> str:
    """What follows the name of a case; "" if it is a name of none."""
    ends = (end for end in range(len(name) - 1, 0, -1) if name[:end] in cases)
    return next((name[end:] for end in ends), "")


def _counted(tails: Counter[str]) -> str:
    return ", ".join(f"{tail} ({count})" for tail, count in sorted(tails.items()))
