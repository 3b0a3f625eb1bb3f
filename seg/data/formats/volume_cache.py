"""What NIfTI and DICOM files share: optional libraries, a cache of open files, checks of slices."""

import importlib
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Generic, Protocol, TypeVar

import numpy as np

from seg.data.errors import DataError, data_errors
from seg.data.formats.pictures import Plane

_MAX_FILES, _MAX_BYTES = 64, 2**30
# Image and mask of one patient and of the next: these always stay, however large, since threads
# read slices of both by turns.
_MIN_FILES = 4
# Largest distance between the corners of an image and of its mask, in voxels: programs round what
# they write, and half a voxel is already a shift.
_TOLERANCE = 0.1


class OpenedVolume(Protocol):
    nbytes: int


File = TypeVar("File", bound=OpenedVolume)


class VolumeCache(Generic[File]):
    """The files opened last, so that a volume is decoded once and not once for every slice.

    At most 64 files and 1 GiB stay open, but always the last four. Safe to use from several
    threads. open_file: reads the header; the file decodes its values later, at first use.
    """

    def __init__(self, open_file: Callable[[Path], File]) -> None:
        self._open_file = open_file
        self._files: OrderedDict[tuple[str, int, int], File] = OrderedDict()
        self._lock = Lock()

    def get(self, path: Path) -> File:
        """The open file; opened again if it has changed on disk. Raises DataError."""
        with data_errors(path):
            status = os.stat(path)
            key = (os.path.abspath(path), status.st_mtime_ns, status.st_size)
            with self._lock:
                file = self._files.get(key)
            opened = self._open_file(path) if file is None else file
        with self._lock:  # another thread may have opened it meanwhile: all must share one
            file = self._files.setdefault(key, opened)
            self._files.move_to_end(key)
            total = sum(f.nbytes for f in self._files.values())
            while len(self._files) > _MIN_FILES and (
                total > _MAX_BYTES or len(self._files) > _MAX_FILES
            ):
                total -= self._files.popitem(last=False)[1].nbytes
        return file


def import_reader(name: str, path: Path) -> ModuleType:
    """The optional library that reads `path`. Raises ImportError if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        text = f"{path}: needs the package {name} ({error}): pip install 'seg-med[medical]'"
        raise ImportError(text) from error


def check_plane(path: Path, plane: Plane | None, shape: tuple[int, ...]) -> Plane:
    """`plane`, if a volume of `shape` (slices along each axis) has it. Raises DataError if not."""
    if plane is None:
        reason = f"a volume of {'x'.join(map(str, shape))}, not one picture"
        raise DataError(path, reason, "read its slices (dataset=folder), or save each as a PNG")
    axis, index = plane
    if not 0 <= axis < len(shape):
        axes = " or ".join(map(str, range(len(shape))))
        reason = f"no axis {axis}: its slices lie along axis {axes}"
        raise DataError(path, reason, "set dataset.axis to one of these")
    if not 0 <= index < shape[axis]:
        reason = f"no slice {index} along axis {axis}, which has {shape[axis]}"
        raise DataError(path, reason, "save image and mask with the same shape")
    return plane


def positions_differ(image: np.ndarray, mask: np.ndarray, shape: tuple[int, int, int]) -> bool:
    """Whether two affines (4, 4), voxel to mm, put the corners of a volume at different places."""
    corners = np.indices((2, 2, 2)).reshape(3, 8) * (np.array(shape)[:, None] - 1)
    distance = np.linalg.norm((image - mask)[:3, :3] @ corners + (image - mask)[:3, 3:], axis=0)
    # Along an axis of one voxel no corner moves when the axis is turned: compare its direction too.
    turned = np.linalg.norm((image - mask)[:3, :3], axis=0)
    voxel = np.linalg.norm(image[:3, :3], axis=0).min()
    return not max(distance.max(), turned.max()) <= _TOLERANCE * voxel  # NaN counts as different
