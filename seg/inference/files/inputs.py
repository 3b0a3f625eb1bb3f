"""The images that `input` names, and the names of their masks."""

import glob
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seg.data import table_file
from seg.data.formats import is_image, stem_of, suffix_of
from seg.data.matching import stems
from seg.data.pairs import content, image_files, natural_key

log = logging.getLogger(__name__)

WILD = "*?["


@dataclass(frozen=True)
class Input:
    """An image: a file, or several whose channels are stacked.

    Args:
        path: of the first file.
        image: its path below the folder that `input` names, with forward slashes.
        name: of its mask below the output, without a suffix: the image's own, with its suffix only
            where two images of a folder differ in nothing else.
        more: the further files, in the order of their channels.
    """

    path: Path
    image: str
    name: str
    more: tuple[Path, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path, *self.more)


def find(source: str | Sequence[str], *, recursive: bool, root: str | None) -> list[Input]:
    """The images of a file, a folder, a glob, a table (.csv), or of a list of those, in order.

    Args:
        source: the value of `input`.
        recursive: whether subfolders of folders are searched.
        root: what the paths of a table are relative to; None for the table's own folder.

    Raises:
        FileNotFoundError: there is nothing. A file of a table that is missing is no error here; it
            becomes one when the image is read.
        ValueError: a table cannot be read.
    """
    bases: dict[Path, Path] = {}  # of each file, the folder from which it is named
    for one in [source] if isinstance(source, str) else source:
        for path, base in _files(one, recursive=recursive, root=root):
            bases.setdefault(Path(os.path.abspath(path)), Path(os.path.abspath(base)))
    if len(set(bases.values())) > 1:  # of several folders each name must say which
        common = Path(os.path.commonpath([os.path.dirname(path) for path in bases]))
        bases = dict.fromkeys(bases, common)
    images = [path.relative_to(base).as_posix() for path, base in bases.items()]
    return [
        Input(path, image, name)
        for path, image, name in zip(bases, images, _names(images), strict=True)
    ]


def stacked(images: Sequence[Input], suffixes: Sequence[str]) -> tuple[list[Input], dict[str, str]]:
    """The files of each case as one image, called by the case's name.

    A further file is also looked for beside the first, so that naming one of a case is enough.

    Args:
        images: files.
        suffixes: how the names of a case's files end, in the order of their channels; with fewer
            than two each file is an image.

    Returns:
        The images, and why the others cannot be predicted, by their first file.

    Raises:
        ValueError: no file is that of a case.
    """
    if len(suffixes) < 2:
        return list(images), {}
    cases: dict[Path, dict[str, Input]] = {}
    failed: dict[str, str] = {}
    others = []
    for one in images:
        ends = [(stem, s) for s in suffixes for stem in stems(stem_of(one.path), s)[:1]]
        if not ends:
            others.append(one.image)
            continue
        stem, suffix = min(ends, key=lambda end: len(end[0]))  # as `seg.data.matching` does
        known = cases.setdefault(one.path.with_name(stem), {}).setdefault(suffix, one)
        if known is not one:
            failed[one.image] = f"{one.path}: same name as {known.path.name}; keep one of them"
    if others:
        text = f"{len(others)} files end in none of {', '.join(suffixes)} ({others[0]})"
        if not cases:
            raise ValueError(f"input: {text}, as the files of the training's cases do")
        log.warning("%s: left out", text)
    complete = []
    for case, files in cases.items():
        first = next(iter(files.values()))
        paths = [
            files[s].path if s in files else case.with_name(case.name + s + suffix_of(first.path))
            for s in suffixes
        ]
        missing = [path.name for path in paths if not os.path.lexists(path)]
        name = first.image[: -len(first.path.name)] + case.name
        image = f"{name}{paths[0].name.removeprefix(case.name)}"
        if missing:
            failed[image] = f"{first.path}: {', '.join(missing)} is missing beside it; add it"
        else:
            complete.append(Input(paths[0], image, name, tuple(paths[1:])))
    return complete, failed


def folders(source: str | Sequence[str]) -> list[Path]:
    """Those parts of `input` that are folders."""
    every = [source] if isinstance(source, str) else source
    return [path for one in every if (path := Path(one).expanduser()).is_dir()]


def _files(source: str, *, recursive: bool, root: str | None) -> Iterator[tuple[Path, Path]]:
    """Each file, and the folder from which it is named."""
    path = Path(source).expanduser()
    if path.is_dir():
        files = _below(path) if recursive else image_files(path)
        if not files:
            more = "" if recursive or not any(p.is_dir() for p in path.iterdir()) else (
                "; recursive=true looks into its subfolders"
            )  # fmt: skip
            raise FileNotFoundError(f"input={source}: no images in it, but {content(path)}{more}")
        yield from ((file, path) for file in files)
    elif path.suffix.lower() == ".csv" and path.exists():
        yield from _of_table(path, path.parent if root is None else Path(root).expanduser())
    elif os.path.lexists(path):
        yield path, path.parent
    elif any(sign in source for sign in WILD):
        yield from _of_glob(source, path)
    else:
        raise FileNotFoundError(f"input={source}: no such file or folder")


def _below(folder: Path) -> list[Path]:
    files: list[Path] = []
    for where, below, _ in os.walk(folder):
        below[:] = sorted((b for b in below if not b.startswith(".")), key=natural_key)
        files += image_files(Path(where))
    return files


def _of_glob(source: str, path: Path) -> Iterator[tuple[Path, Path]]:
    fixed: list[str] = []
    for part in path.parts:
        if any(sign in part for sign in WILD):
            break
        fixed.append(part)
    matches = sorted(glob.glob(str(path), recursive=True), key=natural_key)
    files = [Path(m) for m in matches if is_image(Path(m)) and not Path(m).is_dir()]
    if not files:
        others = f"; of {len(matches)} matches none is an image" if matches else ""
        raise FileNotFoundError(f"input={source}: no such images{others}")
    yield from ((file, Path(*fixed)) for file in files)


def _of_table(table: Path, base: Path) -> Iterator[tuple[Path, Path]]:
    try:
        rows = [row for _, row in table_file.read(table)]
    except ValueError as error:
        raise ValueError(f"input={error}") from error
    header = [cell.lower() for cell in rows[0]] if rows else []
    column = header.index("image") if "image" in header else 0
    # without a column `image` a first row is a header only if it names no file
    has_header = "image" in header or (rows and not Path(rows[0][0]).suffix)
    cells = [
        table_file.as_path(row[column])
        for row in rows[1 if has_header else 0 :]
        if len(row) > column
    ]
    files = [base / Path(cell).expanduser() for cell in cells if cell]
    if not files:
        raise ValueError(f"input={table}: names no images; give a column `image`, one path a row")
    ends = [os.path.abspath(file) for file in files]
    inside = all(Path(end).is_relative_to(os.path.abspath(base)) for end in ends)
    common = base if inside else Path(os.path.commonpath([os.path.dirname(e) for e in ends]))
    yield from ((file, common) for file in files)


def _names(images: Sequence[str]) -> list[str]:
    """Each without its suffix; with it where two would be the same, until no two are."""
    stems = [image[: -len(Path(image).name)] + stem_of(Path(image)) for image in images]
    names, with_suffix = list(stems), set()
    while True:
        counts = Counter(name.casefold() for name in names)
        clash = {i for i, name in enumerate(names) if counts[name.casefold()] > 1} - with_suffix
        if not clash:
            return names
        with_suffix |= clash
        names = [images[i] if i in with_suffix else stem for i, stem in enumerate(stems)]
