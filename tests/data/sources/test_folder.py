"""Every layout that `Folder` knows, and every fault that may be in it."""

import logging
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.data.errors import DataErrors
from seg.data.pairs import PairingErrors
from seg.data.sources.folder import Folder
from seg.data.sources.lgg import LGG
from seg.data.split import assign

# The arguments of Folder for a layout, and where it has the image and the mask of a case.
LAYOUTS = {
    "two folders": ({}, "images/{n}.png", "masks/{n}.png"),
    "other names": ({"image_dir": "in/x", "mask_dir": "out"}, "in/x/{n}.jpg", "out/{n}.png"),
    "suffixes": (
        {"image_suffix": "_img", "mask_suffix": "_seg"}, "images/{n}_img.png", "masks/{n}_seg.png",
    ),
    "masks beside": (
        {"image_dir": "data", "mask_dir": "data", "mask_suffix": "_mask"},
        "data/{n}.png", "data/{n}_mask.png",
    ),
    "masks beside in the root": (
        {"image_dir": ".", "mask_dir": ".", "mask_suffix": "_mask"}, "{n}.png", "{n}_mask.png",
    ),
    "splits above": ({}, "{s}/images/{n}.png", "{s}/masks/{n}.png"),
    "splits below": ({}, "images/{s}/{n}.png", "masks/{s}/{n}.png"),
    "splits above, masks beside": (
        {"image_dir": "all", "mask_dir": "all", "mask_suffix": "_m"},
        "{s}/all/{n}.png", "{s}/all/{n}_m.png",
    ),
    "patients": ({"group": "folder"}, "images/{p}/{n}.png", "masks/{p}/{n}.png"),
    "patients' studies": ({"group": "folder"}, "images/{p}/day{n}/a.png", "masks/{p}/day{n}/a.png"),
    "patients, masks beside": (
        {"image_dir": "data", "mask_dir": "data", "mask_suffix": "_mask", "group": "folder"},
        "data/{p}/{n}.png", "data/{p}/{n}_mask.png",
    ),
    "patients in splits above": (
        {"group": "folder"}, "{s}/images/{p}/{n}.png", "{s}/masks/{p}/{n}.png",
    ),
    "patients in splits below": (
        {"group": "folder"}, "images/{s}/{p}/{n}.png", "masks/{s}/{p}/{n}.png",
    ),
    "patients in names": (
        {"group": r"(p\d)_"}, "images/{p}_{n}.png", "masks/{p}_{n}.png",
    ),
}  # fmt: skip
SPLIT_FOLDERS = {"train": "train", "Validation": "val", "TEST": "test"}
# Patient p<i> has the cases i and i + 3, and is of one split.
CASES = [(str(n), f"p{n % 3}", list(SPLIT_FOLDERS)[n % 3]) for n in range(6)]
SPLIT = {
    "val": 0.2, "test": 0.2, "by": "group", "seed": 0, "folds": None, "fold": None, "file": None,
    "duplicates": "together",
}  # fmt: skip

each_layout = pytest.mark.parametrize("layout", LAYOUTS)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def place(pattern: str, case: tuple[str, str, str]) -> str:
    return pattern.format(n=case[0], p=case[1], s=case[2])


def build(root: Path, layout: str) -> Folder:
    settings, image, mask = LAYOUTS[layout]
    for case in CASES:
        touch(root / place(image, case), root / place(mask, case))
    return Folder(root=str(root), **settings)


def labels_of(pairs: list) -> list[str]:
    """What becomes of the pairs in a run."""
    own = [str(i) for i in range(len(pairs))]
    shares, blank = [1.0] * len(pairs), [False] * len(pairs)
    return assign(pairs, foreground=shares, image_sha256=own, blank=blank, near=[], split=SPLIT)[1]


@each_layout
def test_every_case_is_found_with_its_mask_group_and_split(tmp_path: Path, layout: str) -> None:
    settings, image, mask = LAYOUTS[layout]
    pairs = build(tmp_path, layout).pairs()
    by_patient = "group" in settings
    assert {(p.case, p.image, p.mask_paths[0], p.group, p.split) for p in pairs} == {
        (
            place(image, case), tmp_path / place(image, case), tmp_path / place(mask, case),
            case[1] if by_patient else place(image, case),
            SPLIT_FOLDERS[case[2]] if "{s}" in image else None,
        )
        for case in CASES
    }  # fmt: skip
    assert len(pairs) == len(CASES)


@each_layout
def test_every_missing_mask_is_named_and_the_sound_pairs_are_handed_on(
    tmp_path: Path, layout: str
) -> None:
    _, image, mask = LAYOUTS[layout]
    source = build(tmp_path, layout)
    lost = [CASES[1], CASES[5]]  # of two patients and two splits
    for case in lost:
        (tmp_path / place(mask, case)).unlink()
    with pytest.raises(PairingErrors) as caught:
        source.pairs()
    assert len(caught.value.messages) == 2
    for case in lost:
        where = tmp_path / place(image, case)
        assert any(m.startswith(f"{where}: no mask named") for m in caught.value.messages)
    left = {place(image, case) for case in CASES} - {place(image, case) for case in lost}
    assert {p.case for p in caught.value.pairs} == left


@pytest.mark.parametrize(
    "layout", ["splits above", "splits below", "patients", "patients in splits above"]
)
def test_a_folder_without_its_folder_of_masks_is_reported_image_by_image(
    tmp_path: Path, layout: str
) -> None:
    """Else a test set that lacks its masks would be left out in silence, or worse: an image could
    be taken for its own mask.
    """
    _, image, mask = LAYOUTS[layout]
    source = build(tmp_path, layout)
    lost = [case for case in CASES if case[1] == "p2"]
    for case in lost:
        (tmp_path / place(mask, case)).unlink()
    (tmp_path / place(mask, lost[0])).parent.rmdir()
    if layout == "patients in splits above":
        (tmp_path / place(mask, lost[0])).parent.parent.rmdir()
    with pytest.raises(PairingErrors) as caught:
        source.pairs()
    assert [m.split(":")[0] for m in caught.value.messages] == [
        str(tmp_path / place(image, case)) for case in lost
    ]
    assert len(caught.value.pairs) == 4


def test_all_faults_of_all_folders_come_at_once(tmp_path: Path) -> None:
    source = Folder(root=str(tmp_path), group=r"(p\d)_")
    for split in ("train", "test"):
        for name in ("p1_a", "p2_b", "x"):
            touch(*(tmp_path / split / d / f"{name}.png" for d in ("images", "masks")))
    touch(tmp_path / "test" / "images" / "p3_c.png", tmp_path / "train" / "images" / "p2_b.jpg")
    with pytest.raises(PairingErrors) as caught:
        source.pairs()
    text = str(caught.value)
    assert re.search(r"test/images/p3_c\.png: .*p3_c\.\*", text)
    assert re.search(r"train/images/p2_b\.png: .*p2_b\.jpg", text)
    for split in ("train", "test"):
        assert re.search(rf"dataset\.group=.* {split}/images/x\.png", text)
    assert len(caught.value.messages) == 4
    sound = {p.case for p in caught.value.pairs}
    assert {"train/images/p1_a.png", "test/images/p1_a.png", "test/images/p2_b.png"} <= sound


def test_an_image_in_no_patients_folder_is_named(tmp_path: Path) -> None:
    source = build(tmp_path, "patients")
    touch(tmp_path / "images" / "loose.png", tmp_path / "masks" / "loose.png")
    with pytest.raises(PairingErrors, match=r"images/loose\.png: dataset\.group=folder") as caught:
        source.pairs()
    assert len(caught.value.pairs) == len(CASES)


@pytest.mark.parametrize("layout", ["patients in splits above", "patients in splits below"])
def test_a_patients_folder_in_two_splits_is_refused(tmp_path: Path, layout: str) -> None:
    _, image, mask = LAYOUTS[layout]
    source = build(tmp_path, layout)
    assert sorted(labels_of(source.pairs())) == ["test"] * 2 + ["train"] * 2 + ["val"] * 2
    again = ("9", "p0", "TEST")  # p0 is of train
    touch(tmp_path / place(image, again), tmp_path / place(mask, again))
    with pytest.raises(ValueError, match=r"\bp0\b.*test.*train"):
        labels_of(source.pairs())


def test_loose_images_beside_split_folders_are_taken_and_subfolders_left_out(
    tmp_path: Path,
) -> None:
    source = build(tmp_path, "splits below")
    touch(tmp_path / "images" / "a.png", tmp_path / "masks" / "a.png")
    assert [(p.case, p.split) for p in source.pairs()] == [("images/a.png", None)]


@pytest.mark.parametrize("content", ["notes.txt", "p1/a.png", ""])
def test_a_folder_without_images_is_refused_with_its_content(tmp_path: Path, content: str) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    if content:
        touch(tmp_path / "images" / content)
    named = {"notes.txt": "notes.txt", "p1/a.png": "p1/", "": "nothing"}[content]
    with pytest.raises(FileNotFoundError) as caught:
        Folder(root=str(tmp_path)).pairs()
    assert str(caught.value).startswith(f"{tmp_path / 'images'}: ")
    assert f" {named}" in str(caught.value)


def test_split_folders_without_an_image_are_refused_with_their_names(tmp_path: Path) -> None:
    for part in ("train/images", "train/masks", "test/images", "test/masks"):
        (tmp_path / part).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"test/, train/"):
        Folder(root=str(tmp_path)).pairs()


def test_an_image_suffix_that_no_image_has_is_named(tmp_path: Path) -> None:
    build(tmp_path, "two folders")
    with pytest.raises(FileNotFoundError, match=r"dataset\.image_suffix='_img'.* 0\.png"):
        Folder(root=str(tmp_path), image_suffix="_img").pairs()


def test_another_layout_is_refused_with_the_real_content_and_the_keys(tmp_path: Path) -> None:
    touch(tmp_path / "imgs" / "a.png", tmp_path / "labels" / "a.png", tmp_path / ".DS_Store")
    with pytest.raises(FileNotFoundError) as caught:
        Folder(root=str(tmp_path)).pairs()
    for words in ("images/", "masks/", "imgs/, labels/", "dataset.image_dir", "dataset.mask_dir"):
        assert words in str(caught.value)


def test_masks_beside_images_need_a_suffix() -> None:
    with pytest.raises(ValueError, match=r"dataset\.mask_suffix"):
        Folder(root="x", image_dir="a", mask_dir="./a")


@pytest.mark.parametrize("pattern", ["(", "abc"])
def test_a_pattern_that_cannot_work_is_refused_at_once(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"dataset\.group"):
        Folder(root="x", group=pattern)


@pytest.mark.parametrize("below", ["", "Kvasir-SEG", "archive/Kvasir-SEG"])
@pytest.mark.parametrize("layout", ["two folders", "splits above", "splits below"])
def test_the_root_may_be_a_parent(tmp_path: Path, below: str, layout: str) -> None:
    build(tmp_path / below, layout)
    image = LAYOUTS[layout][1]
    pairs = Folder(root=str(tmp_path)).pairs()
    assert {p.case for p in pairs} == {place(image, case) for case in CASES}


def test_two_data_sets_in_one_root_are_refused(tmp_path: Path) -> None:
    build(tmp_path / "one", "two folders")
    build(tmp_path / "two", "splits above")
    with pytest.raises(FileNotFoundError, match=r"\(one, two\)"):
        Folder(root=str(tmp_path)).pairs()


def test_spaces_and_letters_of_any_language_are_kept(tmp_path: Path) -> None:
    names = ["süß 1", "胃镜", "a²3", "x.y"]
    touch(*(tmp_path / "da ta" / d / f"{n}.png" for d in ("images", "masks") for n in names))
    pairs = Folder(root=str(tmp_path)).pairs()
    assert {p.image.stem for p in pairs} == {p.mask_paths[0].stem for p in pairs} == set(names)


# Volumes: a case for each slice.


def nifti(path: Path, shape: tuple[int, ...]) -> None:
    nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)), path)


def dicom(path: Path, patient: str) -> None:
    pydicom = pytest.importorskip("pydicom", reason="reads DICOM; in the medical extra")
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.PatientID = patient
    ds.Rows = ds.Columns = 4
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.PixelData = bytes(16)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_gives_a_case_a_slice_and_is_one_group(tmp_path: Path, axis: int) -> None:
    shape = (3, 4, 5)
    for part in ("images", "masks"):
        nifti(tmp_path / part / "v.nii.gz", shape)
    pairs = Folder(root=str(tmp_path), axis=axis).pairs()
    assert [p.case for p in pairs] == [f"images/v.nii.gz#{i}" for i in range(shape[axis])]
    assert [p.plane for p in pairs] == [(axis, i) for i in range(shape[axis])]
    assert {p.group for p in pairs} == {"images/v.nii.gz"}


def test_slices_take_their_volumes_folder_and_split(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        for name in ("train/p1/a", "train/p1/b", "test/p2/a"):
            nifti(tmp_path / part / f"{name}.nii", (4, 4, 2))
    pairs = Folder(root=str(tmp_path), group="folder").pairs()
    splits = [(p.group, p.split) for p in pairs]
    assert sorted(splits) == [("p1", "train")] * 4 + [("p2", "test")] * 2


def test_volumes_that_do_not_fit_are_all_named_beside_missing_masks(tmp_path: Path) -> None:
    nifti(tmp_path / "images" / "deep.nii", (4, 4, 3))
    nifti(tmp_path / "masks" / "deep.nii", (4, 4, 2))
    nifti(tmp_path / "images" / "flat.nii", (4, 4, 3))
    touch(tmp_path / "masks" / "flat.png")
    touch(*(tmp_path / d / "text.nii" for d in ("images", "masks")))
    touch(tmp_path / "images" / "alone.png")
    nifti(tmp_path / "images" / "good.nii", (4, 4, 2))
    nifti(tmp_path / "masks" / "good.nii", (4, 4, 2))
    with pytest.raises(PairingErrors) as caught:
        Folder(root=str(tmp_path)).pairs()
    text = str(caught.value)
    assert re.search(r"deep\.nii: .*3 slices.*masks/deep\.nii .*2 slices", text)
    assert re.search(r"flat\.nii: .*masks/flat\.png ", text)
    assert "text.nii: " in text
    assert "alone.png: " in text
    assert len(caught.value.messages) == 4
    assert [p.case for p in caught.value.pairs] == ["images/good.nii#0", "images/good.nii#1"]


def test_an_axis_that_volumes_do_not_have_is_reported_for_each(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for part in ("images", "masks"):
            nifti(tmp_path / part / f"{name}.nii", (4, 4, 3))
    with pytest.raises(DataErrors) as caught:
        Folder(root=str(tmp_path), axis=3).pairs()
    assert len(caught.value.messages) == 2
    assert "axis" in str(caught.value)


def test_dicom_files_of_one_patient_are_one_group_without_the_patients_name(
    tmp_path: Path,
) -> None:
    for name, patient in (("a", "Smith"), ("b", "Smith"), ("c", "Jones")):
        dicom(tmp_path / "images" / f"{name}.dcm", patient)
        touch(tmp_path / "masks" / f"{name}.png")
    first, second, third = (p.group for p in Folder(root=str(tmp_path)).pairs())
    assert first == second != third
    assert "Smith" not in first
    assert first.startswith("patient-")
    # a rule of the user has priority
    named = Folder(root=str(tmp_path), group=r"(\w)\.dcm").pairs()
    assert [p.group for p in named] == ["a", "b", "c"]


# LGG, which has a layout of its own.


def test_lgg_names_all_slices_without_masks_and_returns_the_others(tmp_path: Path) -> None:
    for patient in ("TCGA_A", "TCGA_B"):
        for i in (1, 2, 10):
            touch(*(tmp_path / "kaggle_3m" / patient / f"{i}{s}.tif" for s in ("", "_mask")))
        (tmp_path / "kaggle_3m" / patient / "2_mask.tif").unlink()
    with pytest.raises(PairingErrors) as caught:
        LGG(root=str(tmp_path), classes={"tumour": 255}).pairs()
    assert len(caught.value.messages) == 2
    assert [p.case for p in caught.value.pairs] == [
        "TCGA_A/1.tif", "TCGA_A/10.tif", "TCGA_B/1.tif", "TCGA_B/10.tif",
    ]  # fmt: skip
    assert [p.group for p in caught.value.pairs] == ["TCGA_A", "TCGA_A", "TCGA_B", "TCGA_B"]


def test_lgg_without_any_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kaggle_3m" / "TCGA_A").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"TCGA_\*"):
        LGG(root=str(tmp_path), classes={"tumour": 255}).pairs()
    with pytest.raises(FileNotFoundError, match=r"dataset\.root=.*kaggle_3m/ .*nothing"):
        LGG(root=str(tmp_path / "kaggle_3m" / "TCGA_A"), classes={"tumour": 255}).pairs()


def test_real_masks_beside_images_are_told_apart_by_their_suffix(real: Path) -> None:
    """LGG's own folders, read by the general source."""
    source = Folder(
        root=str(real / "lgg"), image_dir="kaggle_3m", mask_dir="kaggle_3m", mask_suffix="_mask",
        group="folder",
    )  # fmt: skip
    own = LGG(root=str(real / "lgg"), classes={"tumour": 255}).pairs()
    pairs = source.pairs()
    assert {(p.image, p.mask_paths[0], p.group) for p in pairs} == {
        (p.image, p.mask_paths[0], p.group) for p in own
    }


def test_real_retinas_have_a_suffix_on_their_masks(real: Path) -> None:
    pairs = Folder(root=str(real / "chase_db1"), mask_suffix="_1stHO").pairs()
    assert len(pairs) == 28
    for pair in pairs[:3]:
        image, mask = (
            cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in (pair.image, pair.mask_paths[0])
        )
        assert image.shape == mask.shape


def test_a_folder_of_masks_for_each_class(tmp_path: Path) -> None:
    for part in ("images", "masks/disc", "masks/cup"):
        (tmp_path / part).mkdir(parents=True)
        for i in range(3):
            cv2.imwrite(str(tmp_path / part / f"{i}.png"), np.zeros((8, 8), np.uint8))
    source = Folder(root=str(tmp_path), mask_dir={"disc": "masks/disc", "cup": "masks/cup"})
    assert list(source.classes) == ["disc", "cup"]
    assert source.has_layout(tmp_path)
    pairs = source.pairs()
    assert [pair.case for pair in pairs] == [f"images/{i}.png" for i in range(3)]
    for pair in pairs:
        assert [(m.label, m.path.parent.name) for m in pair.masks] == [("disc",) * 2, ("cup",) * 2]
    (tmp_path / "masks/cup/1.png").unlink()
    with pytest.raises(PairingErrors, match=r"1\.png"):
        source.pairs()
    with pytest.raises(ValueError, match="disc, cup"):
        Folder(root=str(tmp_path), mask_dir=source.mask_dir, classes={"disc": 1})


# Several files of a case, subfolders, files that are left out, images without mask.


def busi(root: Path) -> Folder:
    """Class folders with masks beside their images, as BUSI has them."""
    for kind, masks in (("benign", 2), ("malignant", 1), ("normal", 0)):
        for number in (1, 2):
            touch(root / kind / f"{kind} ({number}).png")
            for k in range(masks):
                touch(root / kind / f"{kind} ({number})_mask{f'_{k}' * bool(k)}.png")
    return Folder(
        root=str(root), image_dir=".", mask_dir=".", mask_suffix="_mask*", recursive=True,
        missing_masks="empty",
    )  # fmt: skip


def test_class_folders_are_searched_and_are_no_groups(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "seg")
    logging.getLogger("seg").propagate = True
    pairs = busi(tmp_path).pairs()
    assert [(p.case, len(p.masks), p.group) for p in pairs] == [
        (name, count, name)
        for kind, count in (("benign", 2), ("malignant", 1), ("normal", 0))
        for name in (f"{kind}/{kind} (1).png", f"{kind}/{kind} (2).png")
    ]
    assert "2 of 6 images have no mask" in caplog.text
    assert "2 of 6 images have several mask files" in caplog.text
    grouped = Folder(
        root=str(tmp_path), image_dir=".", mask_dir=".", mask_suffix="_mask*", group="folder",
        missing_masks="empty",
    )  # fmt: skip
    assert {p.group for p in grouped.pairs()} == {"benign", "malignant", "normal"}


def test_equal_names_in_two_subfolders_are_two_cases(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        touch(*(tmp_path / part / kind / "1.png" for kind in ("a", "b/c")))
    pairs = Folder(root=str(tmp_path), recursive=True).pairs()
    assert [(p.case, p.mask_paths) for p in pairs] == [
        ("images/a/1.png", (tmp_path / "masks/a/1.png",)),
        ("images/b/c/1.png", (tmp_path / "masks/b/c/1.png",)),
    ]


def test_masks_within_the_images_folder_are_no_images(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "x" / "b.png")
    touch(tmp_path / "masks" / "a.png", tmp_path / "masks" / "x" / "b.png")
    pairs = Folder(root=str(tmp_path), image_dir=".", recursive=True).pairs()
    assert [p.case for p in pairs] == ["a.png", "x/b.png"]


def test_no_mask_at_all_is_refused_even_where_masks_may_be_missing(tmp_path: Path) -> None:
    touch(tmp_path / "images" / "a.png", tmp_path / "masks" / "a_seg.png")
    with pytest.raises(ValueError, match="none of its 1 images"):
        Folder(root=str(tmp_path), missing_masks="empty").pairs()


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("*_superpixels.png", ["a.jpg", "b.jpg"]),
        (["*_superpixels.png", "images/b.jpg"], ["a.jpg"]),
        (["*_superpixels.png", "b.*"], ["a.jpg"]),
    ],
)
def test_excluded_files_are_left_out_and_a_pattern_without_match_is_said(
    tmp_path: Path, patterns: str | list, left: list, caplog: pytest.LogCaptureFixture
) -> None:
    """ISIC has superpixels beside its images."""
    logging.getLogger("seg").propagate = True
    for name in ("a", "b"):
        touch(tmp_path / "images" / f"{name}.jpg", tmp_path / "masks" / f"{name}.png")
        touch(tmp_path / "images" / f"{name}_superpixels.png")
    assert len(pytest.raises(DataErrors, Folder(root=str(tmp_path)).pairs).value.messages) == 2
    pairs = Folder(root=str(tmp_path), exclude=patterns).pairs()
    assert [p.image.name for p in pairs] == left
    assert not [r for r in caplog.records if r.levelno == logging.WARNING and "exclude" in r.msg]
    patterns = [patterns] if isinstance(patterns, str) else patterns
    Folder(root=str(tmp_path), exclude=[*patterns, "*.bmp"]).pairs()
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any("exclude=*.bmp: matches no file" in text for text in said)


def test_several_files_of_a_case_are_its_channels(tmp_path: Path) -> None:
    for name in ("p1", "p2"):
        touch(tmp_path / "images" / f"{name}_0000.png", tmp_path / "images" / f"{name}_0001.png")
        touch(tmp_path / "masks" / f"{name}.png")
    pairs = Folder(root=str(tmp_path), image_suffix=["_0000", "_0001"]).pairs()
    assert [(p.case, [i.name for i in p.images]) for p in pairs] == [
        (f"images/{n}_0000.png", [f"{n}_0000.png", f"{n}_0001.png"]) for n in ("p1", "p2")
    ]


def test_a_class_that_an_image_lacks_may_have_no_file(tmp_path: Path) -> None:
    folders = {"disc": "masks/disc", "cup": "masks/cup"}
    touch(*(tmp_path / d / "a.png" for d in ("images", *folders.values())))
    touch(tmp_path / "images/b.png", tmp_path / "masks/disc/b.png")
    source = Folder(root=str(tmp_path), mask_dir=folders, missing_masks="empty")
    assert [[m.label for m in p.masks] for p in source.pairs()] == [["disc", "cup"], ["disc"]]
    beside = Folder(
        root=str(tmp_path), image_dir="masks/disc", mask_dir="masks/cup",
        mask_suffix={"x": "", "y": ""},
    )  # fmt: skip
    assert list(beside.classes) == ["x", "y"]
