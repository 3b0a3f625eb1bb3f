"""Arrays of many sizes, one behind the other in one memory-mapped file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Ragged:
    """Reads like a list of arrays; each is a view of the file, so that only what is used is read.

    Args:
        flat: all values, one array after the other.
        shapes: (N, D), of each array.
    """

    def __init__(self, flat: NDArray, shapes: NDArray[np.int64]) -> None:
        self.flat = flat
        self.shapes = shapes
        self.ends = np.cumsum(shapes.prod(axis=1))

    @property
    def dtype(self) -> np.dtype:
        return self.flat.dtype

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, row: int) -> NDArray:
        shape = self.shapes[row]
        end = int(self.ends[row])
        return self.flat[end - int(shape.prod()) : end].reshape(shape)

    def __setitem__(self, row: int, values: NDArray) -> None:
        self[row][...] = values

    def __iter__(self) -> Iterator[NDArray]:
        return (self[row] for row in range(len(self)))

    def flush(self) -> None:
        """Write to the file what is still in memory."""
        self.flat.flush()


def create(
    path: Path, *, shapes: Sequence[Sequence[int]], dtype: type, in_one: bool
) -> NDArray | Ragged:
    """A new file, to be filled in.

    Args:
        shapes: of each array; a `Ragged`'s are written beside the file.
        in_one: all are of one shape and become one array (N, ...).
    """
    new_array = np.lib.format.open_memmap
    if in_one:
        return new_array(path, mode="w+", dtype=dtype, shape=(len(shapes), *shapes[0]))
    table = np.array(shapes, dtype=np.int64)
    np.save(_shapes_path(path), table)
    size = int(table.prod(axis=1).sum())
    return Ragged(new_array(path, mode="w+", dtype=dtype, shape=(size,)), table)


def open_arrays(path: Path) -> NDArray | Ragged:
    """The arrays in a file, memory-mapped: one array (N, ...), or a `Ragged` where sizes differ."""
    # as plain views of the file: a row of NumPy's memmap takes ten times as long to get
    arrays, shapes = np.load(path, mmap_mode="r").view(np.ndarray), _shapes_path(path)
    return Ragged(arrays, np.load(shapes)) if shapes.is_file() else arrays


def _shapes_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}_shapes.npy")
