"""Arrays of many sizes in one file."""

from pathlib import Path

import numpy as np
import pytest

from seg.data import ragged

SHAPES = [(3, 4, 2), (1, 1, 2), (5, 2, 2)]


def test_arrays_of_many_sizes_are_read_as_they_were_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in SHAPES]
    written = ragged.create(tmp_path / "a.npy", shapes=SHAPES, dtype=np.uint8, in_one=False)
    for i, array in enumerate(arrays):
        written[i] = array
    written.flush()
    read = ragged.open_arrays(tmp_path / "a.npy")
    assert len(read) == 3
    for array, other in zip(arrays, read, strict=True):
        np.testing.assert_array_equal(array, other)


def test_a_row_is_a_view_of_the_file_that_cannot_be_written_to(tmp_path: Path) -> None:
    ragged.create(tmp_path / "a.npy", shapes=SHAPES, dtype=np.float32, in_one=False).flush()
    read = ragged.open_arrays(tmp_path / "a.npy")
    assert np.shares_memory(read[0], read.flat)
    with pytest.raises(ValueError, match="read-only"):
        read[0][:] = 1


def test_arrays_of_one_size_are_one_array(tmp_path: Path) -> None:
    ragged.create(tmp_path / "a.npy", shapes=[(2, 3)] * 4, dtype=np.uint8, in_one=True).flush()
    assert ragged.open_arrays(tmp_path / "a.npy").shape == (4, 2, 3)
