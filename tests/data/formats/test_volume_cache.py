"""Open files: decoded once for all slices and threads, bounded, read anew when they change."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from seg.data.errors import DataError
from seg.data.formats import nifti, volume_cache
from seg.data.images import check_geometry, read_image, read_mask

from .written import AFFINE, LABELS, VOLUME, flip_in_gz, write_nifti


def test_a_compressed_volume_is_decoded_once_for_all_slices_and_threads(tmp_path, monkeypatch):
    image = write_nifti(tmp_path / "i.nii.gz", np.repeat(VOLUME, 20, axis=2))
    mask = write_nifti(tmp_path / "m.nii.gz", np.repeat(LABELS, 20, axis=2))
    decoded = []
    read = nifti._Volume._read
    monkeypatch.setattr(
        nifti._Volume, "_read", lambda self: (decoded.append(self.path), read(self))[1]
    )

    def pair(index):
        plane = (2, index)
        read_image(image, channels=1, plane=plane, window="percentile")
        check_geometry(image, mask, plane=plane)
        return read_mask(mask, plane=plane)[0]

    with ThreadPoolExecutor(4) as pool:
        masks = list(pool.map(pair, range(140)))
    assert sorted(decoded) == [image, mask]
    assert all(np.array_equal(m, LABELS[:, :, i // 20].T) for i, m in enumerate(masks))


def test_a_damaged_volume_is_decompressed_once(tmp_path, monkeypatch):
    flip_in_gz(path := tmp_path / "v.nii.gz")
    tries = []
    read = nifti._Volume._read
    monkeypatch.setattr(nifti._Volume, "_read", lambda self: (tries.append(1), read(self))[1])
    for index in range(7):
        with pytest.raises(DataError, match="damaged"):
            read_mask(path, plane=(2, index))
    assert len(tries) == 1


def test_a_volume_that_changed_is_read_anew(tmp_path):
    path = write_nifti(tmp_path / "v.nii.gz", LABELS)
    read_mask(path, plane=(2, 1))
    write_nifti(path, np.flip(LABELS, 2).copy())
    assert np.array_equal(read_mask(path, plane=(2, 1))[0], LABELS[:, :, 5].T)


def test_open_files_are_bounded_in_bytes_and_number_but_four_stay(tmp_path, monkeypatch):
    class File:
        def __init__(self, path):
            self.nbytes = int(path.read_text())

    recent = volume_cache.VolumeCache(File)
    monkeypatch.setattr(volume_cache, "_MAX_BYTES", 100)
    monkeypatch.setattr(volume_cache, "_MAX_FILES", 9)

    def kept(sizes):
        for i, size in enumerate(sizes):
            (tmp_path / f"{size}-{i}").write_text(str(size))
            recent.get(tmp_path / f"{size}-{i}")
        return [file.nbytes for file in recent._files.values()]

    assert kept([90] * 7) == [90] * 4
    assert kept([20] * 7) == [20] * 5
    assert kept([1] * 20) == [1] * 9


def test_an_unknown_position_counts_as_different():
    assert volume_cache.positions_differ(AFFINE, AFFINE * np.nan, (5, 6, 7))
    assert not volume_cache.positions_differ(AFFINE, AFFINE, (5, 6, 7))
