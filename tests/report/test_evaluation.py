"""The figures of an evaluation and their intervals, against the loops they replace."""

import csv
import io
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from seg.evaluation.bootstrap import bootstrap
from seg.evaluation.intervals import summary
from seg.evaluation.score import Table, score, stack
from seg.metrics.cases import summarize, summarize_class
from seg.report import diagnostics, evaluation
from seg.runs.atomic import replacing_files


def random_table(cases: int = 20, *, classes: int = 2, groups: int = 6, seed: int = 0) -> Table:
    """Every fifth reference is empty, class 2 is in every third, and one prediction failed."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(cases):
        reference = rng.integers(0, classes + 1, (12, 10)).astype(np.uint8)
        reference[reference == 2] *= i % 3 == 0
        reference *= bool(i % 5)
        probs = rng.random((1 if classes == 1 else classes + 1, 12, 10), dtype=np.float32)
        probs = probs if classes == 1 else probs / probs.sum(0)
        mask = (probs[0] > 0.5).astype(np.uint8) if classes == 1 else probs.argmax(0)
        if i == 7:
            probs[:] = np.nan
        rows.append(score(probs, mask.astype(np.uint8), reference, case=f"c{i}",
                          group=f"g{rng.integers(groups)}"))  # fmt: skip
    return stack(rows)


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("groups", [6, 10**6])
def test_figures_and_intervals_are_those_of_the_loop(classes: int, groups: int) -> None:
    table = random_table(classes=classes, groups=groups)
    names = ["a", "b"][:classes]
    found = summary(table, names)
    volumes = len(set(table.groups)) < len(table.cases)
    assert volumes == (groups == 6)

    def check(figures: dict, counts: np.ndarray, loop) -> None:
        expected = loop(counts, table.groups if volumes else None)
        bounds = bootstrap(counts, table.groups, lambda c, g: loop(c, g if volumes else None))
        assert set(expected) <= set(figures)
        for name, value in expected.items():
            got = figures[name]
            assert got["value"] == pytest.approx(value, abs=1e-12), name
            assert (got["low"], got["high"]) == pytest.approx(bounds[name], abs=1e-9), name

    check(found["metrics"], table.counts, summarize)
    for j, name in enumerate(names):
        check(found["classes"][name], table.counts[:, j], summarize_class)


def test_every_other_figure_is_the_mean_of_its_column() -> None:
    table = random_table(classes=1)
    figures = summary(table, ["a"])["metrics"]
    for i, name in enumerate(("hd95", "assd", "nsd")):
        assert figures[name]["value"] == pytest.approx(table.surface[:, 0, i].mean())
    assert figures["brier"]["value"] == pytest.approx(table.brier.mean())
    tp, fp, fn = table.lesions[:, 0].sum(0)
    assert figures["lesion_f1_pooled"]["value"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    for figure in figures.values():
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_a_class_that_is_nowhere_leaves_out_what_it_has_no_case_for() -> None:
    table = random_table(classes=1)
    empty = score(np.zeros((1, 4, 4)), np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8),
                  case="e", group="e")  # fmt: skip
    figures = summary(stack([empty, empty]), ["a"])["metrics"]
    assert "dice_positive" not in figures
    assert "ap" not in figures
    assert figures["dice"] == {"value": 1, "low": 1, "high": 1}
    assert all(math.isfinite(v) for f in figures.values() for v in f.values())
    assert "ap" in summary(table, ["a"])["metrics"]


def made(table: Table, names: list[str]) -> dict:
    return evaluation.content(
        table, names, split="test", threshold=None, checkpoint="x/best.ckpt", unit="pixels",
        protocols={"other": {"dice": 0.5, "error": "[no] case"}},
    )  # fmt: skip


def test_the_json_and_the_table_hold_the_same_cases(tmp_path: Path) -> None:
    table = random_table()
    found = made(table, ["a", "b"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["cases"], found["failed"], found["size"]) == (20, 1, "original")
    evaluation.write_cases(tmp_path / "cases.csv", table, ["a", "b"])
    with (tmp_path / "cases.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert ",".join(rows[0]) == (
        "case,group,class,tp,fp,fn,tn,dice,iou,precision,recall,specificity,accuracy,hd95,assd,nsd,"
        "lesion_tp,lesion_fp,lesion_fn,lesion_f1,brier,ece,failed"
    )
    assert len(rows) == 40
    for j, name in enumerate("ab"):
        of_class = [row for row in rows if row["class"] == name]
        assert [row["case"] for row in of_class] == table.cases
        for i in (0, 7, 19):
            assert [int(of_class[i][k]) for k in ("tp", "fp", "fn", "tn")] == list(
                table.counts[i, j]
            )
        for key in ("dice", "hd95", "nsd", "brier", "ece", "lesion_f1"):
            mean = np.mean([float(row[key]) for row in of_class])
            assert mean == pytest.approx(found["classes"][name][key]["value"], abs=1e-8)
    assert [row["failed"] for row in rows if row["case"] == "c7"] == ["1", "1"]


def test_the_screen_says_what_failed_and_keeps_protocols_apart(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=120)
    found = made(random_table(), ["a[b]", "b"])
    evaluation.show(found, tmp_path, console)
    text = console.file.getvalue()
    assert "1 of 20 predictions" in text
    assert "a[b]" in text
    assert "[no] case" in text
    assert f"{found['metrics']['dice']['value']:.4f}" in text
    assert "never rank across" in text


@pytest.mark.parametrize("classes", [1, 2])
def test_pictures_are_drawn_also_of_classes_that_are_nowhere(classes: int, tmp_path: Path) -> None:
    table = random_table(classes=classes)
    table.levels[:, -1, 1] = 0
    table.bins[:, -1, :, 3:] = 0
    names = ["a", "$b_"][:classes]
    diagnostics.pr_curve(table.levels, names, 0.5 if classes == 1 else None, tmp_path / "a.png")
    diagnostics.reliability(table.bins, names, tmp_path / "b.png")
    diagnostics.confusion(table.confusion, names, tmp_path / "c.png")
    for name in "abc":
        assert cv2.imread(str(tmp_path / f"{name}.png")).std() > 1


def test_results_replace_their_own_files_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "test"
    for content in ("first", "second"):
        with replacing_files(folder, last="test.json") as new:
            (new / "panels").mkdir()
            (new / "panels" / "worst.png").write_text(content)
            (new / "test.json").write_text(content)
        (folder / "notes.txt").write_text("mine")
    assert (folder / "panels" / "worst.png").read_text() == "second"
    assert (folder / "test.json").read_text() == "second"
    assert (folder / "notes.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["test"]


def test_an_error_leaves_the_earlier_results(tmp_path: Path) -> None:
    folder = tmp_path / "test"
    with replacing_files(folder, last="test.json") as new:
        (new / "test.json").write_text("first")

    def fail() -> None:
        with replacing_files(folder, last="test.json") as new:
            (new / "test.json").write_text("second")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        fail()
    assert (folder / "test.json").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["test"]
