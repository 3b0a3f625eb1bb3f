"""Pictures for the contact sheet."""

from pathlib import Path

import numpy as np

from seg.data.sources.folder import Folder
from seg.preparation.audit import reader


def test_a_reader_gives_none_for_what_cannot_be_read(folder: Path) -> None:
    (folder / "images" / "case_1.png").write_bytes(b"x")
    (folder / "masks" / "case_2.png").write_bytes(b"x")
    pairs = Folder(root=str(folder)).pairs()
    read = reader(pairs, channels=1, classes=None, ignore_value=None)
    (image, mask), (none, with_mask), (with_image, nothing) = map(read, range(3))
    assert image.shape == (40, 48, 1)
    assert none is None
    assert nothing is None
    assert with_image is not None
    assert mask.dtype == with_mask.dtype == np.uint8
    assert set(np.unique(with_mask)) == {0, 1}
