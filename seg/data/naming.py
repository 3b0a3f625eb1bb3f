"""Why files do not pair or group by their names, and the keys with which they would."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from os.path import commonprefix
from pathlib import Path

from seg.data.formats import stem_of
from seg.data.pairs import group_of, image_files

SAMPLE = 40  # images whose names are compared with those of all masks
NO_MASK = ": no mask named "  # in a message of `pairs`
NO_GROUP = " does not match "


def explained(source: object, messages: Sequence[str]) -> list[str]:
    """The problems of a source, those of one cause in one line with the key that mends it."""
    missing = [text for text in messages if NO_MASK in text]
    ungrouped = [text for text in messages if "dataset.group=" in text and NO_GROUP in text]
    lines: list[str] = []
    if missing:
        key = proposed_suffixes(source) or annotation_files(Path(source.root))
        first = missing[0].partition(NO_MASK)[0]
        if key:
            lines.append(f"{first} and {len(missing) - 1} others: no mask of that name; {key}")
        else:
            missing = []
    if len(ungrouped) > 1:
        cases = [text.rpartition(NO_GROUP)[2] for text in ungrouped]
        rule = suggest_group(cases)
        fix = f"dataset.group='{rule}'" if rule else "dataset.group=file if each is a patient"
        lines.append(
            f"dataset.group='{source.group}': no match in {len(cases)} cases, such as "
            f"{', '.join(cases[:3])}; {fix}"
        )
    else:
        ungrouped = []
    return lines + [text for text in messages if text not in {*missing, *ungrouped}]


def proposed_suffixes(source: object) -> str | None:
    """The keys under which most images of a folder have a mask; None if there are none."""
    folders = [getattr(source, key, None) for key in ("image_dir", "mask_dir")]
    if not all(isinstance(folder, str) for folder in folders) or folders[0] == folders[1]:
        return None
    names = []
    for folder in folders:
        path = next((p for p in Path(source.root).rglob(folder) if p.is_dir()), None)
        names.append([stem_of(file) for file in image_files(path)] if path else [])
    ends = best_suffixes(*names)
    if ends is None:
        return None
    return " ".join(
        f"dataset.{key}_suffix={end}" if re.fullmatch(r"[\w.-]*", end) else
        f"\"dataset.{key}_suffix='{end}'\""
        for key, end in zip(("image", "mask"), ends, strict=True)
        if end or getattr(source, f"{key}_suffix")
    )  # fmt: skip


def best_suffixes(images: Sequence[str], masks: Sequence[str]) -> tuple[str, str] | None:
    """The ends of image and mask names that leave equal names for most images."""
    votes: Counter[tuple[str, str]] = Counter()
    for image in images[:: max(1, len(images) // SAMPLE)]:
        for mask in masks:
            start = len(commonprefix([image, mask]))
            # also back to where a word begins: `1_raw` and `1_rim` end in `_raw` and `_rim`
            cuts = {start, *(m.start() for m in re.finditer("[-_. ]", image[:start]))}
            votes.update((image[cut:], mask[cut:]) for cut in cuts if cut)
    every_image, every_mask = set(images), set(masks)

    def pairs(ends: tuple[str, str]) -> int:
        stems = {name.removesuffix(ends[0]) for name in every_image if name.endswith(ends[0])}
        return sum(stem + ends[1] in every_mask for stem in stems)

    likely = [ends for ends, _ in votes.most_common(50)]
    counts = {ends: pairs(ends) for ends in likely}
    best = max(counts.values(), default=0)
    if best < 2 or best <= len(images) / 2:
        return None
    # of equally good ones, one that begins with a separator, and then the shortest
    equal = [ends for ends in likely if counts[ends] == best]
    return min(equal, key=lambda ends: (any(e[:1].isalnum() for e in ends), len("".join(ends))))


def annotation_files(root: Path) -> str | None:
    """What to do with polygons in JSON files below a folder; None if there are none."""
    for path in sorted(root.rglob("*.json"))[:5]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        keys = content.keys() if isinstance(content, dict) else set()
        if {"shapes", "imagePath"} <= keys:
            return f"{path.name} is a LabelMe file: dataset=labelme"
        if {"images", "annotations", "categories"} <= keys:
            relative = path.relative_to(root)
            return f"{path.name} is a COCO file: dataset=coco dataset.annotations={relative}"
    return None


def suggest_group(cases: Sequence[str]) -> str | None:
    """A `dataset.group` under which the names read as several images of each patient, or None.

    `Image_01L`, `Image_01R`; `p12_3`; a folder each. Only where most cases would share a group,
    there are three groups or more, and each has a number (or there are ten and more).
    """
    rules = (
        r"([^/]+?)[-_ ]?[LR]\.\w+$",
        r"([^/]*[^/\d])[-_ ]?[LR]\.\w+$",
        r"([^/]*\d[^/]*?)[-_ ]+[A-Za-z]*\d+\.\w+$",
        r"([^/]+?)[-_ ]+\d+\.\w+$",
        "folder",
    )
    return next((rule for rule in rules if _groups_well(cases, rule)), None)


def _groups_well(cases: Sequence[str], rule: str) -> bool:
    try:
        groups = Counter(group_of(case, rule) for case in cases)
    except ValueError:
        return False
    shared = sum(count for count in groups.values() if count > 1)
    numbered = sum(bool(re.search(r"\d", group.rpartition("/")[2])) for group in groups)
    enough = len(groups) >= 3 and (numbered == len(groups) or len(groups) >= 10)
    return enough and shared > len(cases) / 2
