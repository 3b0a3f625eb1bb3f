"""Splits that are given: a split.csv, the lists that a data set was published with, or folders."""

import csv
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from seg.data.formats import stem_of
from seg.data.pairs import Pair
from seg.data.split.draw import SPLITS

COLUMNS = ("image", "mask", "group", "split", "image_sha256", "mask_sha256")


def read(given: str | Mapping[str, str], cases: Sequence[str]) -> list[str | None]:
    """Labels for `cases` in their order; None where the lists leave a case to be drawn.

    given: a split.csv (columns image, split); a folder that holds train.txt, val.txt, test.txt or
        some of them; or those files by name: `{train: FILE, test: FILE}`. Lists hold a case a line:
        its path, its file name or its name without extension; a volume's stands for all its slices.
        Without a list for train, what no list names is left for training; with one, every case
        must be named.

    Raises ValueError naming the file and the cases that it lacks, or holds without there being any.
    """
    if isinstance(given, Mapping):
        lists = {name: Path(file).expanduser() for name, file in given.items()}
    else:
        path = Path(given).expanduser()
        if not path.is_dir():
            return list(_read_csv(path, cases))
        lists = {name: path / f"{name}.txt" for name in SPLITS if (path / f"{name}.txt").is_file()}
        if not lists:
            raise ValueError(f"dataset.split.file={path}: holds no train.txt, val.txt or test.txt")
    return _read_lists(lists, cases)


def rows(
    pairs: Sequence[Pair],
    groups: Sequence[str],
    labels: Sequence[str],
    image_sha256: Sequence[str],
    mask_sha256: Sequence[str],
) -> list[list[str]]:
    """The rows of a split.csv, below COLUMNS; a mask's path is relative to the image's root."""
    made = []
    for pair, group, label, image, mask in zip(
        pairs, groups, labels, image_sha256, mask_sha256, strict=True
    ):
        path = PurePosixPath(pair.case.rpartition("#")[0] if pair.plane else pair.case)
        root = None if path.is_absolute() else pair.image.parents[len(path.parts) - 1]
        where = pair.mask if root is None else Path(os.path.relpath(pair.mask, root))
        made.append([pair.case, where.as_posix(), group, label, image, mask])
    return made


def write(path: Path, table: Sequence[Sequence[str]]) -> None:
    """Write a split.csv: image, mask, group, split and both digests."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([COLUMNS, *table])


def _read_csv(path: Path, cases: Sequence[str]) -> list[str]:
    if not path.is_file():
        raise ValueError(f"dataset.split.file={path}: no such file")
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    if not rows or not {"image", "split"} <= rows[0].keys():
        raise ValueError(f"dataset.split.file={path}: needs the columns image and split")
    wrong = sorted({row["split"] or "" for row in rows} - set(SPLITS))
    if wrong:
        raise ValueError(
            f"dataset.split.file={path}: split {wrong[0]!r} is none of {', '.join(SPLITS)}"
        )
    labels: dict[str, str] = {}
    for row in rows:
        if labels.setdefault(row["image"], row["split"]) != row["split"]:
            raise ValueError(
                f"dataset.split.file={path}: {row['image']} is in both {labels[row['image']]} and "
                f"{row['split']}"
            )
    unknown = sorted(set(labels) - set(cases))
    if unknown:
        raise ValueError(
            f"dataset.split.file={path}: {len(unknown)} of its images are no cases of the data "
            f"set, the first is {unknown[0]}"
        )
    missing = [case for case in cases if case not in labels]
    if missing:
        raise ValueError(
            f"dataset.split.file={path}: {len(missing)} cases are not in it, "
            f"the first is {missing[0]}"
        )
    return [labels[case] for case in cases]


def _read_lists(lists: Mapping[str, Path], cases: Sequence[str]) -> list[str | None]:
    wrong = sorted(set(lists) - set(SPLITS))
    if wrong:
        raise ValueError(f"dataset.split.file: {wrong[0]!r} is none of {', '.join(SPLITS)}")
    by_name = _names(cases)
    labels: dict[str, str] = {}
    for split, path in lists.items():
        if not path.is_file():
            raise ValueError(f"dataset.split.file: {split}: {path}: no such file")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        for number, line in enumerate(lines, start=1):
            name = line.strip().replace("\\", "/")
            if not name:
                continue
            name = name if name in by_name else name.split()[0]  # others may follow it
            if name not in by_name:
                raise ValueError(f"{path}, line {number}: {name} is no case of the data set")
            for case in by_name[name]:
                if labels.setdefault(case, split) != split:
                    raise ValueError(f"{path}, line {number}: {case} is in {labels[case]} as well")
            if not by_name[name]:
                raise ValueError(
                    f"{path}, line {number}: several cases are called {name}; write its path"
                )
    if "train" in lists:
        missing = [case for case in cases if case not in labels]
        if missing:
            raise ValueError(
                f"dataset.split.file: {len(missing)} cases are in no list, "
                f"the first is {missing[0]}"
            )
    return [labels.get(case) for case in cases]


def _names(cases: Sequence[str]) -> dict[str, list[str]]:
    """Path, file name and stem -> its case, or its slices; none for a name that two files share."""
    files: dict[str, list[str]] = {}
    for case in cases:
        files.setdefault(re.sub(r"#\d+$", "", case), []).append(case)
    found: dict[str, list[str]] = {}
    for file, held in files.items():
        path = Path(file)
        for name in dict.fromkeys((path.name, stem_of(path))):
            found[name] = held if name not in found else []
    return found | files | {case: [case] for case in cases}  # a whole path is never ambiguous
