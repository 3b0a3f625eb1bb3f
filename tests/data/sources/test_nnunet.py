"""nnU-Net's raw data: what dataset.json says of channels and labels, in both versions."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.cli.compose import compose, plain
from seg.data.errors import DataError
from seg.data.pairs import PairingErrors
from seg.data.preprocess import Preprocessing, read_pair
from seg.data.sources.nnunet import NnUNet

SECOND = {
    "channel_names": {"0": "T1", "1": "FLAIR"}, "file_ending": ".png", "numTraining": 3,
    "labels": {"background": 0, "edema": 1, "core": 2, "ignore": 3},
}  # fmt: skip
FIRST = {
    "modality": {"0": "T1", "1": "FLAIR"}, "numTraining": 3,
    "labels": {"0": "background", "1": "edema", "2": "core", "3": "ignore"},
}  # fmt: skip


def build(root: Path, about: dict, *, channels: int = 2, test: tuple[str, ...] = ()) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(json.dumps(about))
    for part in ("imagesTr", "labelsTr", *test):
        (root / part).mkdir()
        for case in ("a", "b", "c"):
            names = [f"{case}_{k:04d}" for k in range(channels)] if "images" in part else [case]
            for k, name in enumerate(names):
                values = np.full((4, 4), 10 * (k + 1), np.uint8)
                if "labels" in part:
                    values = np.arange(16, dtype=np.uint8).reshape(4, 4) % 4
                cv2.imwrite(str(root / part / f"{name}.png"), values)
    return root


@pytest.mark.parametrize("about", [FIRST, SECOND], ids=["version 1", "version 2"])
@pytest.mark.parametrize("below", [".", "Dataset004_X"])
def test_channels_are_stacked_and_labels_are_the_classes(
    tmp_path: Path, about: dict, below: str
) -> None:
    build(tmp_path / below, about)
    source = NnUNet(root=str(tmp_path))
    assert source.classes == {"edema": 1, "core": 2}
    assert source.ignore_value == 3
    pairs = source.pairs()
    assert [(p.case, [i.stem for i in p.images], p.split) for p in pairs] == [
        (f"imagesTr/{c}_0000.png", [f"{c}_0000", f"{c}_0001"], None) for c in "abc"
    ]
    image, mask, _ = read_pair(pairs[0], Preprocessing((4, 4), 2, source.classes, 3))
    assert image[0, 0].tolist() == [10, 20]
    assert mask[0].tolist() == [0, 1, 2, 255]


def test_the_configuration_takes_the_number_of_channels(tmp_path: Path) -> None:
    build(tmp_path, SECOND)
    cfg = plain(compose(["dataset=nnunet", f"dataset.root={tmp_path}"]))
    assert cfg["dataset"]["channels"] == cfg["model"]["in_channels"] == 2
    assert plain(compose(["dataset=nnunet", "dataset.root=nowhere"]))["dataset"]["channels"] == 1


def test_labelled_test_cases_are_the_test_set_and_others_are_not_used(tmp_path: Path) -> None:
    both = build(tmp_path / "both", SECOND, test=("imagesTs", "labelsTs"))
    splits = [(p.case.partition("/")[0], p.split) for p in NnUNet(root=str(both)).pairs()]
    assert splits == [("imagesTr", None)] * 3 + [("imagesTs", "test")] * 3
    alone = build(tmp_path / "alone", SECOND, test=("imagesTs",))
    assert len(NnUNet(root=str(alone)).pairs()) == 3


def test_colour_pictures_have_their_channels_in_one_file(tmp_path: Path) -> None:
    about = SECOND | {"channel_names": {"0": "R", "1": "G", "2": "B"}}
    source = NnUNet(root=str(build(tmp_path, about, channels=1)))
    assert (source.channels, source.image_suffix) == (3, ["_0000"])
    assert [len(p.images) for p in source.pairs()] == [1, 1, 1]


def test_regions_share_values_where_classes_may_overlap(tmp_path: Path) -> None:
    about = SECOND | {"labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3]}}
    source = NnUNet(root=str(build(tmp_path, about)))
    pair = source.pairs()[0]
    planes = read_pair(pair, Preprocessing((4, 4), 2, source.classes, None, overlap=True))[1]
    assert planes.sum(axis=(0, 1)).tolist() == [12, 8]
    with pytest.raises(ValueError, match=r"dataset\.overlap=true"):
        read_pair(pair, Preprocessing((4, 4), 2, source.classes, None))


def test_labels_are_selected_by_name(tmp_path: Path) -> None:
    build(tmp_path, SECOND)
    assert NnUNet(root=str(tmp_path), classes=["core"]).classes == {"core": 2}
    own = {"both": [1, 2]}
    assert NnUNet(root=str(tmp_path), classes=own).classes == own
    with pytest.raises(DataError, match=r"no label rim .*edema, core"):
        NnUNet(root=str(tmp_path), classes=["rim"])


def test_a_missing_channel_is_named(tmp_path: Path) -> None:
    build(tmp_path, SECOND)
    (tmp_path / "imagesTr" / "b_0001.png").unlink()
    with pytest.raises(PairingErrors, match=r"b_0000\.png: no image named b_0001") as caught:
        NnUNet(root=str(tmp_path)).pairs()
    assert len(caught.value.messages) == 1


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"labels": {"background": 0}}'])
def test_a_dataset_json_that_says_nothing_is_refused_by_name(tmp_path: Path, text: str) -> None:
    build(tmp_path, SECOND)
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json"):
        NnUNet(root=str(tmp_path))
