"""Splits in files: a split.csv, or the lists that a data set was published with."""

import csv
import hashlib
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from seg.data.formats import stem_of
from seg.data.pairs import Pair
from seg.data.split.draw import SPLITS

COLUMNS = ("image", "mask", "group", "split", "image_sha256", "mask_sha256")


def read(source: str | Mapping[str, str], cases: Sequence[str]) -> list[str | None]:
    """Labels for `cases` in their order; None where the lists leave a case to be drawn.

    A list has one case a line: its path, its file name or its name without extension; the name of
    a volume stands for all its slices. Without a list for train, cases that no list names are
    left for training; with one, every case must be in a list.

    Args:
        source: a split.csv (columns image, split); a folder with train.txt, val.txt, test.txt or
            some of them; or those files by name: `{train: FILE, test: FILE}`.

    Raises:
        ValueError: a file is missing, lacks cases, or names unknown ones; it says which.
    """
    if isinstance(source, Mapping):
        lists = {name: Path(file).expanduser() for name, file in source.items()}
    else:
        path = Path(source).expanduser()
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
    """The rows of a split.csv, as in COLUMNS; a mask's path is relative to the image's root.

    Several mask files of a case are joined by `;`.
    """
    table = []
    for pair, *values in zip(pairs, groups, labels, image_sha256, mask_sha256, strict=True):
        path = PurePosixPath(pair.case.rpartition("#")[0] if pair.plane else pair.case)
        root = None if path.is_absolute() else pair.image.parents[len(path.parts) - 1]
        masks = [p if root is None else Path(os.path.relpath(p, root)) for p in pair.mask_paths]
        table.append([pair.case, ";".join(mask.as_posix() for mask in masks), *values])
    return table


def digest(table: Sequence[Sequence[str]]) -> str:
    """sha256 of the split.csv with these rows."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([COLUMNS, *table])
    return hashlib.sha256(text.getvalue().encode()).hexdigest()


def _read_csv(path: Path, cases: Sequence[str]) -> list[str]:
    name = f"dataset.split.file={path}"
    if not path.is_file():
        raise ValueError(f"{name}: no such file")
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    if not rows or not {"image", "split"} <= rows[0].keys():
        raise ValueError(f"{name}: needs the columns image and split")
    if wrong := sorted({row["split"] or "" for row in rows} - set(SPLITS)):
        raise ValueError(f"{name}: split {wrong[0]!r} is none of {', '.join(SPLITS)}")
    labels: dict[str, str] = {}
    for row in rows:
        image, split = row["image"], row["split"]
        if labels.setdefault(image, split) != split:
            raise ValueError(f"{name}: {image} is in both {labels[image]} and {split}")
    if unknown := sorted(set(labels) - set(cases)):
        raise ValueError(
            f"{name}: {len(unknown)} of its images are no cases of the data set, the first is "
            f"{unknown[0]}"
        )
    if missing := [case for case in cases if case not in labels]:
        raise ValueError(f"{name}: {len(missing)} cases are not in it, the first is {missing[0]}")
    return [labels[case] for case in cases]


def _read_lists(lists: Mapping[str, Path], cases: Sequence[str]) -> list[str | None]:
    if wrong := sorted(set(lists) - set(SPLITS)):
        raise ValueError(f"dataset.split.file: {wrong[0]!r} is none of {', '.join(SPLITS)}")
    cases_by_name = _by_name(cases)
    labels: dict[str, str] = {}
    for split, path in lists.items():
        if not path.is_file():
            raise ValueError(f"dataset.split.file: {split}: {path}: no such file")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        for number, line in enumerate(lines, start=1):
            name = line.strip().replace("\\", "/")
            if not name:
                continue
            where = f"{path}, line {number}"
            name = name if name in cases_by_name else name.split()[0]  # other words may follow it
            if name not in cases_by_name:
                raise ValueError(f"{where}: {name} is no case of the data set")
            for case in cases_by_name[name]:
                if labels.setdefault(case, split) != split:
                    raise ValueError(f"{where}: {case} is in {labels[case]} as well")
            if not cases_by_name[name]:
                raise ValueError(f"{where}: several cases are called {name}; write its path")
    missing = [case for case in cases if case not in labels]
    if "train" in lists and missing:
        raise ValueError(
            f"dataset.split.file: {len(missing)} cases are in no list, the first is {missing[0]}"
        )
    return [labels.get(case) for case in cases]


def _by_name(cases: Sequence[str]) -> dict[str, list[str]]:
    """Path, file name and stem -> the case, or its slices; [] for a name that two files share."""
    files: dict[str, list[str]] = {}
    for case in cases:
        files.setdefault(re.sub(r"#\d+$", "", case), []).append(case)
    names: dict[str, list[str]] = {}
    for file, of_file in files.items():
        path = Path(file)
        for name in dict.fromkeys((path.name, stem_of(path))):
            names[name] = of_file if name not in names else []
    return names | files | {case: [case] for case in cases}  # a whole path is never ambiguous
