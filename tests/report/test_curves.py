"""curves.png."""

import numpy as np
import pytest
from PIL import Image

from seg.report import charts, curves, figures
from seg.runs.folder import RunFolder

HEADER = "epoch,stage,lr,seconds,train/dice,train/iou,train/loss,val/dice,val/iou,val/loss"
DICE = [0.2, 0.5, 0.7, 0.6, 0.65]


def _run(folder, stages):
    """A run folder with the epochs of these stages."""
    rows = [
        f"{i + 1},{stage},0.001,0.5,{d + 0.1},{d},{1 - d},{d},{d - 0.1},{1.1 - d}"
        for i, (stage, d) in enumerate(zip(stages, DICE, strict=False))
    ]
    (folder / "metrics.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return RunFolder(folder)


def _drawn(tmp_path, monkeypatch, stages):
    """The figure that draw() made, and the file."""
    kept = []
    save = figures.save
    monkeypatch.setattr(figures, "save", lambda figure, *a: kept.append(figure) or save(figure, *a))
    curves.draw(_run(tmp_path, stages))
    return kept[0], tmp_path / "curves.png"


@pytest.mark.parametrize(
    "stages", [["main"], ["main"] * 2, ["main"] * 5, ["bce"] * 3 + ["dice"] * 2]
)
def test_the_picture_is_written_and_not_empty(tmp_path, stages):
    curves.draw(_run(tmp_path, stages))
    picture = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB")).astype(int)
    for colour in curves.COLOURS.values():
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (abs(picture - wanted).max(-1) < 30).sum() > 100, colour


def test_every_curve_shows_the_values_of_its_own_column(tmp_path, monkeypatch):
    figure, _ = _drawn(tmp_path, monkeypatch, ["main"] * 5)
    expected = {
        ("loss", "train"): [1 - d for d in DICE],
        ("loss", "val"): [1.1 - d for d in DICE],
        ("dice", "train"): [d + 0.1 for d in DICE],
        ("dice", "val"): DICE,
        ("iou", "train"): DICE,
        ("iou", "val"): [d - 0.1 for d in DICE],
    }
    for axis, key in zip(figure.axes, ("loss", "dice", "iou"), strict=True):
        lines = {line.get_label(): line for line in axis.lines}
        for split in ("train", "val"):
            assert list(lines[split].get_xdata()) == [1, 2, 3, 4, 5]
            assert list(lines[split].get_ydata()) == pytest.approx(expected[key, split])


def test_the_best_epoch_by_validation_dice_is_marked(tmp_path, monkeypatch):
    figure, _ = _drawn(tmp_path, monkeypatch, ["main"] * 5)
    assert "best epoch 3" in figure.get_suptitle()
    assert "0.7000" in figure.get_suptitle()
    for axis in figure.axes:
        dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
        assert [list(line.get_xdata()) for line in dashed] == [[3, 3]]


def test_a_line_stands_between_two_stages_and_none_in_a_single_one(tmp_path, monkeypatch):
    for name, stages, starts in (
        ("one", ["main"] * 5, []),
        ("two", ["bce"] * 3 + ["dice"] * 2, [[3.5, 3.5]]),
        ("three", ["bce", "dice", "dice", "ce", "ce"], [[1.5, 1.5], [3.5, 3.5]]),
    ):
        (tmp_path / name).mkdir()
        with monkeypatch.context() as patch:
            figure, _ = _drawn(tmp_path / name, patch, stages)
        for axis in figure.axes:
            dotted = [line for line in axis.lines if line.get_linestyle() == ":"]
            assert [list(line.get_xdata()) for line in dotted] == starts


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_epochs_are_whole_numbers(tmp_path, monkeypatch, count):
    figure, _ = _drawn(tmp_path, monkeypatch, ["main"] * count)
    for axis in figure.axes:
        assert all(tick == int(tick) for tick in axis.get_xticks())


def test_a_split_has_one_colour_in_the_picture_and_in_the_report(tmp_path, monkeypatch):
    figure, _ = _drawn(tmp_path, monkeypatch, ["main"] * 5)
    picture = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
    for _, columns in curves.CHARTS[:2]:
        for name, column, place in columns:
            split = column.partition("/")[0]
            assert picture[split] == charts.SERIES[place], name


def test_every_line_is_in_the_legend(tmp_path, monkeypatch):
    figure, _ = _drawn(tmp_path, monkeypatch, ["bce"] * 3 + ["dice"] * 2)
    for axis in figure.axes:
        shown = [text.get_text() for text in axis.get_legend().get_texts()]
        assert shown == ["train", "val", "best epoch", "a stage begins"]
