"""Robustness: cases under every corruption, scored as the clean ones, and the figures of them."""

import csv
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from seg.data.preprocess import Preprocessing
from seg.data.sources.folder import Folder
from seg.evaluation.bootstrap import bootstrap
from seg.evaluation.cases import Case
from seg.evaluation.corruptions import UNITS
from seg.evaluation.robustness import METRIC, CorruptedScores, Robustness
from seg.evaluation.score import score_cases
from seg.evaluation.stream import stream
from seg.evaluation.summary import summarize_evaluation
from seg.inference.model import NO_POSTPROCESS, LoadedModel

NONE: dict[str, list[float]] = {name: [] for name in UNITS}
SOME = {"blur": [0.02, 0.05], "noise": [0.1, 0.5, 0.9], "scale": [1.3], "rotation": [20]}


def model_of(classes: Sequence[str], *, channels: int = 3, overlap: bool = False) -> LoadedModel:
    shape = Preprocessing(
        size=None, channels=channels, ignore_value=None, overlap=overlap,
        classes={name: 255 if len(classes) == 1 else i for i, name in enumerate(classes, 1)},
    )  # fmt: skip
    return LoadedModel(
        predictor=SimpleNamespace(), classes=list(classes), preprocessing=shape, threshold=0.5,
        postprocess=NO_POSTPROCESS, mean=[], std=[], members=[Path("best.ckpt")],
    )  # fmt: skip


def bright(image: NDArray, level: float = 100) -> NDArray[np.float32]:
    """(1, H, W): 1 where the image is brighter than the background of `folder`."""
    return (image.mean(2) > level).astype(np.float32)[None]


def measured(
    cases: Sequence[Case],
    model: LoadedModel,
    probabilities: Callable[[NDArray], NDArray],
    *,
    count: int = 4,
    **amounts: list[float],
) -> CorruptedScores:
    predictor = SimpleNamespace(probabilities=probabilities)
    shape = model.preprocessing
    predict = partial(stream, predictor=predictor, preprocessing=shape, count=count)
    clean, _, _ = score_cases(predict(cases), model, {}, tolerance=2)
    return Robustness(**{**NONE, **amounts}).measure(predict, cases, model, clean)


def cases_of(root: Path, groups: int = 5) -> list[Case]:
    pairs = Folder(root=str(root)).pairs()
    return [Case(pair, f"p{i % groups}") for i, pair in enumerate(pairs)]


def dice_of(counts: NDArray) -> NDArray[np.float64]:
    tp, fp, fn, _ = np.moveaxis(counts, -1, 0)
    return np.where(tp + fp + fn == 0, 1, 2 * tp / np.maximum(2 * tp + fp + fn, 1))


def test_image_and_mask_move_together(folder: Path) -> None:
    model = model_of(["disc"])
    moves = {"scale": [1.1, 1.5], "rotation": [10, 45]}
    scores = measured(cases_of(folder), model, bright, **moves)
    assert dice_of(scores.counts).mean(0).min() > 0.9  # the discs have 6 to 12 pixels
    assert dice_of(scores.clean.counts).min() == 1
    summary = scores.summary()
    assert summary["ratio_to_clean"]["value"] > 0.9
    # at rotations the corners are ignored, at scales the frame, or the disc leaves the image
    assert (scores.counts.sum(-1) <= 40 * 48).all()
    assert (scores.counts[:, 3].sum(-1) < 40 * 48).all()


def test_amounts_without_effect_give_the_clean_figures(folder: Path) -> None:
    nothing = {"blur": [1e-6], "brightness": [1], "scale": [1.0], "noise": [1e-9]}
    scores = measured(cases_of(folder), model_of(["disc"]), lambda i: bright(i, 60), **nothing)
    clean = scores.clean.counts
    assert (dice_of(clean) < 1).any()
    for s in range(len(nothing)):
        np.testing.assert_array_equal(scores.counts[:, s], clean)
    summary = scores.summary()
    assert summary["ratio_to_clean"]["value"] == 1
    assert {c["mean"]["value"] for c in summary["corruptions"].values()} == {
        summary["clean"]["value"]
    }


def test_figures_do_not_depend_on_order_or_on_how_many_cases_are_in_memory(folder: Path) -> None:
    model, cases = model_of(["disc"]), cases_of(folder)
    one = measured(cases, model, bright, count=1, **SOME)
    other = measured(cases[::-1], model, bright, count=7, **SOME)
    np.testing.assert_array_equal(one.counts, other.counts[::-1])
    alone = measured(cases[3:4], model, bright, noise=[0.9])  # nor on the other strengths
    np.testing.assert_array_equal(alone.counts[0, 0], one.counts[3, 4])
    assert dice_of(one.counts[:, 2:5]).mean((0, 2)).tolist() == sorted(
        dice_of(one.counts[:, 2:5]).mean((0, 2)), reverse=True
    )


def test_figures_and_intervals_are_those_of_the_table(folder: Path, tmp_path: Path) -> None:
    scores = measured(cases_of(folder), model_of(["disc"]), bright, **SOME)
    scores.write(tmp_path / "rows.csv", ["disc"])
    with (tmp_path / "rows.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 12 * 8
    settings = list(dict.fromkeys((row["corruption"], row["strength"]) for row in rows))
    assert settings[:3] == [("clean", "0"), ("blur", "1"), ("blur", "2")]
    table = np.array([float(row["dice"]) for row in rows]).reshape(12, 8)
    groups = [row["group"] for row in rows[::8]]
    by_corruption = np.stack(
        [table[:, 1:3].mean(1), table[:, 3:6].mean(1), table[:, 6], table[:, 7]], axis=1
    )
    mean, clean = by_corruption.mean(1), table[:, 0]
    summary = scores.summary()
    noise = summary["corruptions"]["noise"]
    assert noise["amounts"] == [0.1, 0.5, 0.9]
    expected = {
        "clean": (summary["clean"], clean),
        "strength": (noise["dice"][1], table[:, 4]),
        "corruption": (noise["mean"], by_corruption[:, 1]),
        "mean": (summary[METRIC], mean),
    }
    for figure, values in expected.values():
        assert figure["value"] == pytest.approx(values.mean())
        bounds = bootstrap(values, groups, lambda v, _: {"v": float(v.mean())})["v"]
        assert (figure["low"], figure["high"]) == pytest.approx(bounds)
    both = np.stack([mean, clean], axis=1)
    ratio = bootstrap(both, groups, lambda v, _: {"v": v[:, 0].mean() / v[:, 1].mean()})["v"]
    figure = summary["ratio_to_clean"]
    assert (figure["low"], figure["high"]) == pytest.approx(ratio)
    content = summarize_evaluation(scores.scores, ["disc"], split="test", protocols={})
    for end in ("value", "low", "high"):
        assert content["metrics"][METRIC][end] == pytest.approx(summary[METRIC][end])
        assert content["metrics"]["dice"][end] == pytest.approx(summary["clean"][end])


def test_a_single_group_has_no_interval(folder: Path) -> None:
    scores = measured(cases_of(folder, groups=1), model_of(["disc"]), bright, noise=[0.3])
    summary = scores.summary()
    assert summary[METRIC]["low"] is summary["corruptions"]["noise"]["dice"][0]["low"] is None


def test_amounts_of_the_table_have_the_direction_of_the_case(folder: Path, tmp_path: Path) -> None:
    scores = measured(cases_of(folder), model_of(["disc"]), bright, brightness=[1.5, 2])
    scores.write(tmp_path / "rows.csv", ["disc"])
    with (tmp_path / "rows.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["corruption"] == "brightness"]
    pairs = {(a["amount"], b["amount"]) for a, b in zip(rows[::2], rows[1::2], strict=True)}
    assert pairs == {("1.5", "2"), ("0.666667", "0.5")}
    darker = [row["amount"] in ("0.5", "0.666667") for row in rows[::2]]
    tp, _, fn, _ = scores.counts[:, 1, 0].T
    missed = tp < fn
    has_disc = scores.clean.counts[:, 0, 0] > 0
    assert missed[has_disc].tolist() == np.array(darker)[has_disc].tolist()


def write_pairs(root: Path, image: Callable[[NDArray], NDArray], masks: Sequence[NDArray]) -> None:
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for i, mask in enumerate(masks):
        tifffile.imwrite(root / "images" / f"{i}.tif", image(mask))
        tifffile.imwrite(root / "masks" / f"{i}.tif", mask)


def masks_of(classes: int) -> list[NDArray[np.uint8]]:
    """Rectangles of each class side by side, of six images."""
    masks = np.zeros((6, 60, 80), np.uint8)
    for i, mask in enumerate(masks):
        for k in range(classes):
            mask[20 : 34 + i, 8 + 22 * k : 24 + 22 * k + i] = k + 1 if classes > 1 else 255
    return list(masks)


def scaled_to_16_bits(mask: NDArray) -> NDArray:
    """Five channels that use an eighth of the range."""
    return np.stack([np.where(mask > 0, 8000, 1000)] * 5, axis=2).astype(np.uint16)


def test_five_channels_of_16_bits(tmp_path: Path) -> None:
    write_pairs(tmp_path, scaled_to_16_bits, masks_of(1))
    every = {"blur": [0.01], "noise": [0.05], "jpeg": [50], "brightness": [1.1], "scale": [1.2],
             "rotation": [20]}  # fmt: skip
    level = 4500 / 257
    model = model_of(["a"], channels=5)
    scores = measured(cases_of(tmp_path), model, lambda i: bright(i, level), **every)
    assert dice_of(scores.counts).mean((0, 2)).min() > 0.9


@pytest.mark.parametrize("overlap", [False, True])
def test_several_classes_have_figures_each_and_their_mean(overlap: bool, tmp_path: Path) -> None:
    write_pairs(tmp_path, lambda mask: np.repeat(mask[..., None] * 80, 3, 2), masks_of(3))

    def nearest(image: NDArray) -> NDArray[np.float32]:
        index = np.rint(image[..., 0] / 80)
        planes = [index == k for k in range(1 if overlap else 0, 4)]
        return np.stack(planes).astype(np.float32)

    model = model_of(["a", "b", "c"], overlap=overlap)
    scores = measured(cases_of(tmp_path), model, nearest, rotation=[30], noise=[0.3])
    dice = dice_of(scores.counts)
    assert dice.shape == (6, 2, 3)
    assert dice[:, 0].mean() < 0.6
    assert dice[:, 1].mean() > 0.75  # values between two classes are of a third at the edges
    assert scores.summary()[METRIC]["value"] == pytest.approx(dice.mean())
    content = summarize_evaluation(scores.scores, model.classes, split="test", protocols={})
    for k, name in enumerate(model.classes):
        value = content["classes"][name][METRIC]["value"]
        assert value == pytest.approx(dice[:, :, k].mean())


@pytest.mark.parametrize("classes", [1, 3])
def test_counts_are_those_of_the_evaluation_also_of_failed_predictions(
    classes: int, folder: Path, tmp_path: Path
) -> None:
    if classes == 3:
        folder = tmp_path / "several"
        write_pairs(folder, lambda mask: np.repeat(mask[..., None] * 80, 3, 2), masks_of(3))

    def some_fail(image: NDArray) -> NDArray[np.float32]:
        rng = np.random.default_rng([*image[:, :, 0].tobytes()])
        probs = rng.random((classes + (classes > 1), *image.shape[:2]), dtype=np.float32)
        return np.full_like(probs, np.nan) if rng.random() < 0.5 else probs

    model = model_of(["a", "b", "c"][:classes])
    scores = measured(cases_of(folder), model, some_fail, brightness=[1])
    assert 0 < scores.clean.failed.sum() < len(scores.clean.cases)
    np.testing.assert_array_equal(scores.counts[:, 0], scores.clean.counts)


def test_a_class_without_a_pixel_is_in_no_mean(tmp_path: Path) -> None:
    write_pairs(tmp_path, lambda mask: np.repeat(mask[..., None] * 80, 3, 2), masks_of(2))
    model = model_of(["a", "b", "c"])

    def third(image: NDArray) -> NDArray[np.float32]:
        return np.stack([np.rint(image[..., 0] / 80) == k for k in range(4)]).astype(np.float32)

    scores = measured(cases_of(tmp_path), model, third, noise=[0.4])
    expected = dice_of(scores.counts)[..., :2].mean()
    assert scores.summary()[METRIC]["value"] == pytest.approx(expected)


def test_a_protocol_without_any_corruption_is_refused() -> None:
    with pytest.raises(ValueError, match=r"protocol\.robustness"):
        Robustness(**NONE)
