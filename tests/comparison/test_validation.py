"""Whether val/dice may choose at all."""

import csv

from seg.comparison.choices import by_validation
from seg.comparison.sweep_jobs import read_jobs
from seg.comparison.validation import cautions
from tests.comparison.sweep_written import write_job


def _split(folder, images):
    with (folder / "split.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["image", "mask", "group", "split", "image_sha256", "mask_sha256"])
        for image in images:
            writer.writerow([image, image, image, "val", f"sha-{image}", "m"])
        writer.writerow(["t", "t", "t", "train", f"sha-{folder.name}", "m"])


def _cautions(folder):
    return cautions(by_validation(read_jobs(folder)))


def test_the_same_images_are_no_caution(tmp_path):
    for k in range(2):
        _split(write_job(tmp_path, k, [f"k={k}"], val=0.5), "abc")
    assert _cautions(tmp_path) == []


def test_other_images_are_one(tmp_path):
    for k in range(2):
        _split(write_job(tmp_path, k, [f"k={k}"], val=0.5), ["abc", "abd"][k])
    assert "different images" in _cautions(tmp_path)[0]


def test_folds_validate_on_different_images_and_choices_on_the_same(tmp_path):
    i = 0
    for k in range(2):
        for fold, images in enumerate(("abc", "def")):
            lines = [f"k={k}", f"dataset.split.fold={fold}"]
            _split(write_job(tmp_path, i, lines, val=0.5), images)
            i += 1
    assert _cautions(tmp_path) == []


def test_a_size_that_differs_is_one(tmp_path):
    for k in range(2):
        write_job(tmp_path, k, [f"k={k}"], val=0.5, **{"dataset.image_size": 64 * (k + 1)})
    (caution,) = _cautions(tmp_path)
    assert caution.startswith("dataset.image_size differs")


def test_a_split_that_cannot_be_read_says_nothing(tmp_path):
    _split(write_job(tmp_path, 0, ["k=0"], val=0.5), "abc")
    write_job(tmp_path, 1, ["k=1"], val=0.5)
    (tmp_path / "1_k=1" / "split.csv").write_text('image,"')
    assert _cautions(tmp_path) == []
