"""The images of another set: which files they are, and their fingerprints."""

import shutil
from pathlib import Path

from seg.data.images import read_image
from seg.data.near_duplicates.hash import fingerprint
from seg.preparation.audit import fingerprints, pictures_below


def test_pictures_are_found_in_all_folders_but_hidden_ones(folder: Path) -> None:
    (folder / ".cache").mkdir()
    shutil.copy(folder / "images" / "case_0.png", folder / ".cache" / "case_0.png")
    shutil.copy(folder / "images" / "case_0.png", folder / "images" / ".case_0.png")
    (folder / "notes.txt").write_text("no picture")
    (folder / "folder.png").mkdir()
    shutil.copy(folder / "images" / "case_0.png", folder / "a.PNG")
    found = [path.relative_to(folder).as_posix() for path in pictures_below(folder)]
    cases = sorted(f"case_{i}.png" for i in range(12))
    parts = [f"{part}/{case}" for part in ("images", "masks") for case in cases]
    assert found == ["a.PNG", *parts]


def test_a_picture_that_cannot_be_read_has_no_fingerprint(folder: Path) -> None:
    files = [folder / "images" / f"case_{i}.png" for i in range(3)]
    files[1].write_bytes(b"x")
    first, none, last = fingerprints(files)
    assert none is None
    for found, path in ((first, files[0]), (last, files[2])):
        expected = fingerprint(read_image(path, channels=3))
        assert (found.hash == expected.hash).all()
        assert (found.thumbnail == expected.thumbnail).all()
