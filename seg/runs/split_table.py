"""Which case is in which split: the counts of a split.csv, and whether its splits are apart."""

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from seg.data.split.draw import SPLITS, fingerprint
from seg.data.split.file import COLUMNS

FILE_NAME = "split.csv"


@dataclass(frozen=True)
class SplitTable:
    """A split.csv, read.

    Args:
        rows: its lines, with the columns image, mask, group, split, image_sha256, mask_sha256.
        cases: how many, by split; as `groups`.
        has_groups: whether any group is more than a file of its own.
        equal_images: pairs of cases with byte-equal images.
        digests: case to the SHA-256 of its image and of its mask.
        splits: case to its split.
    """

    rows: list[dict[str, str]]
    cases: dict[str, int]
    groups: dict[str, int]
    has_groups: bool
    fingerprint: str
    groups_in_two_splits: list[str]
    equal_images: list[tuple[str, str]]
    equal_in_two_splits: list[tuple[str, str]]
    digests: dict[str, tuple[str, str]]
    splits: dict[str, str]


def read(path: Path) -> SplitTable:
    """Raises ValueError for a file that is no split.csv."""
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    if not rows or any(row.get(name) is None for row in rows for name in COLUMNS):
        raise ValueError(f"needs the columns {', '.join(COLUMNS)} in every line")
    members, where = defaultdict(set), defaultdict(set)
    by_image: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        members[row["split"]].add(row["group"])
        where[row["group"]].add(row["split"])
        if row["image_sha256"] and row["image"] == _file(row["image"]):  # slices share their file
            by_image[row["image_sha256"]].append(row)
    pairs = [(same[0], row) for same in by_image.values() for row in same[1:]]
    return SplitTable(
        rows=rows,
        cases={s: sum(row["split"] == s for row in rows) for s in SPLITS},
        groups={s: len(members[s]) for s in SPLITS},
        has_groups=_has_groups(rows),
        fingerprint=fingerprint([r["image"] for r in rows], [r["split"] for r in rows]),
        groups_in_two_splits=sorted(group for group, splits in where.items() if len(splits) > 1),
        equal_images=[(a["image"], b["image"]) for a, b in pairs],
        equal_in_two_splits=[
            (a["image"], b["image"]) for a, b in pairs if a["split"] != b["split"]
        ],
        digests={row["image"]: (row["image_sha256"], row["mask_sha256"]) for row in rows},
        splits={row["image"]: row["split"] for row in rows},
    )


def _has_groups(rows: list[dict[str, str]]) -> bool:
    """Files that look alike are put into the group of one of them: that is no patient."""
    files = {row["image"] for row in rows}
    files |= {_file(row["image"]) for row in rows}
    return any(row["group"] not in files for row in rows)


def _file(case: str) -> str:
    """The case, and of a slice its volume."""
    return re.sub(r"#\d+$", "", case)
