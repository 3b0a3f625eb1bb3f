"""Classes that the files of a data set name themselves: `mask_cup`, the categories of COCO."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from seg.data.errors import DataError

log = logging.getLogger(__name__)

Chosen = list[str] | dict[str, object] | None  # dataset.classes: names, alone or with any values


def choose(names: Sequence[str], wanted: Chosen, *, path: Path) -> dict[str, None]:
    """The classes to train, in their order; no value stands for them.

    Args:
        names: of all classes in the files.
        wanted: those to keep; None keeps all.
        path: of the file that names them, for the message.

    Raises:
        DataError: a wanted name that the files do not have, or no name at all.
    """
    kept = list(dict.fromkeys(names if wanted is None else wanted))
    if unknown := [name for name in kept if name not in names]:
        listed = ", ".join(names)
        fix = f"dataset.classes='[{listed}]' takes all" if names else "label it first"
        raise DataError(path, f"no class {unknown[0]} in it, but {listed or 'none'}", fix)
    if not kept:
        raise DataError(path, "no classes in it", "label it first")
    return dict.fromkeys(kept)


def say_left_out(names: Sequence[str], classes: Mapping[str, object] | None) -> None:
    """Say which classes are found, or which of them `dataset.classes` leaves out."""
    if others := [name for name in names if name not in (classes or {})]:
        log.info("classes that dataset.classes leaves out: %s", ", ".join(others))
    elif names:
        log.info("classes: %s", ", ".join(classes or {}))
