"""The per-case table of a run."""

import csv

import numpy as np
import pytest

from seg.metrics.overlap import METRICS
from seg.runs.case_table import TableError, pool, read_cases, write_cases
from tests.comparison.written import counts_of, reference, write_run


def _table(tmp_path, name="run", **about):
    return read_cases(write_run(tmp_path / name, **about) / "test_cases.csv")


def test_the_table_has_a_row_a_case_and_class(tmp_path):
    counts = np.random.default_rng(0).integers(0, 50, (3, 2, 4))
    counts[0] = [0, 0, 0, 99]
    write_cases(
        tmp_path / "test_cases.csv",
        cases=["p1/a.png", 'p1/b, "c".png', "p2/d.png"],
        groups=["p1", "p1", "p2"],
        class_names=["cytoplasm", "nucleus"],
        counts=counts,
    )
    with (tmp_path / "test_cases.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == ["case", "group", "class", "tp", "fp", "fn", "tn", *METRICS]
    assert [(r["case"], r["group"], r["class"]) for r in rows] == [
        ("p1/a.png", "p1", "cytoplasm"),
        ("p1/a.png", "p1", "nucleus"),
        ('p1/b, "c".png', "p1", "cytoplasm"),
        ('p1/b, "c".png', "p1", "nucleus"),
        ("p2/d.png", "p2", "cytoplasm"),
        ("p2/d.png", "p2", "nucleus"),
    ]
    read = np.array([[int(r[k]) for k in ("tp", "fp", "fn", "tn")] for r in rows])
    np.testing.assert_array_equal(read.reshape(3, 2, 4), counts)
    for row, (tp, fp, fn, _) in zip(rows, read, strict=True):
        expected = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1
        assert float(row["dice"]) == pytest.approx(expected, abs=1e-6)


def test_further_figures_are_columns_with_the_digits_that_are_wanted(tmp_path):
    counts, figures = np.ones((2, 1, 4), int), {"hd95": np.array([[1 / 3], [2.0]])}
    figures["failed"] = np.array([[0], [1]])
    about = {"cases": ["a", "b"], "groups": ["g", "g"], "class_names": ["x"], "counts": counts}
    write_cases(tmp_path / "a.csv", **about, figures=figures, digits=".12g")
    with (tmp_path / "a.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0])[-2:] == ["hd95", "failed"]
    assert [row["hd95"] for row in rows] == ["0.333333333333", "2"]
    assert [row["failed"] for row in rows] == ["0", "1"]
    assert (read_cases(tmp_path / "a.csv").values["hd95"] == [[0.333333333333], [2]]).all()


def test_rows_are_sorted_by_case_and_keep_their_counts_groups_and_classes(tmp_path):
    counts = np.arange(3 * 2 * 4).reshape(3, 2, 4) + 1
    table = _table(
        tmp_path, counts=counts, cases=["c", "a", "b"], groups=["p", "q", "p"], classes=["x", "y"]
    )
    assert table.cases == ("a", "b", "c")
    assert table.groups == ("q", "p", "p")
    assert table.classes == ("x", "y")
    assert (table.counts == counts[[1, 2, 0]]).all()
    tp, fp, fn, _ = np.moveaxis(counts[[1, 2, 0]], -1, 0)
    assert table.values["dice"] == pytest.approx(2 * tp / (2 * tp + fp + fn), abs=1e-6)
    assert (table.reference[:, :2] == tp + fn).all()
    assert (table.reference[:, 2] == counts[[1, 2, 0], 0].sum(-1)).all()


HEAD = "case,group,class,tp,fp,fn,tn,dice"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "t.csv: .*case"),
        ("case,group,class,tp,fp,fn,dice\na,a,x,1,1,1,0.5", "t.csv: .* tn"),
        (HEAD, "t.csv: "),
        (f"{HEAD}\na,a,x,1,1,1,1,0.5\nb,b,x,1,1", "t.csv: "),
        (f"{HEAD}\na,a,x,1,1,1,1,0.5\na,a,x,1,1,1,1,0.5", "t.csv: "),
        (f"{HEAD}\na,a,x,1,1,1,1,0.5\na,a,y,1,1,1,1,0.5\nb,b,x,1,1,1,1,1", "t.csv: "),
        (f"{HEAD}\na,a,x,1,1,one,1,0.5", "t.csv: fn: .*one"),
        (f"{HEAD}\na,a,x,1,-1,1,1,0.5", "t.csv: .*fp"),
    ],
)
def test_what_is_no_such_table_is_refused_with_the_reason(tmp_path, text, reason):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TableError, match=reason):
        read_cases(tmp_path / "t.csv")


def test_a_figure_without_a_value_is_nan_and_a_case_called_na_is_a_case(tmp_path):
    (tmp_path / "t.csv").write_text(f"{HEAD},hd95\nNA,nan,x,1,1,1,1,0.5,\nb,b,x,1,1,1,1,0.5,2.5\n")
    table = read_cases(tmp_path / "t.csv")
    assert table.cases == ("NA", "b")
    assert table.groups == ("nan", "b")
    assert np.isnan(table.values["hd95"][0, 0])
    assert table.values["hd95"][1, 0] == 2.5


def test_pooled_folds_are_the_concatenation(tmp_path):
    sizes = reference(9)
    counts = counts_of(sizes, np.linspace(0.2, 0.9, 9))
    names = [f"{i}" for i in range(9)]
    order = [4, 0, 8, 2, 6, 1, 7, 3, 5]
    parts = [order[:4], order[4:6], order[6:]]
    tables = [
        _table(tmp_path, f"{k}", counts=counts[rows], cases=[names[i] for i in rows])
        for k, rows in enumerate(parts)
    ]
    whole = _table(tmp_path, "whole", counts=counts, cases=names)
    joined = pool(tables)
    assert joined.cases == whole.cases
    assert joined.groups == whole.groups
    assert (joined.counts == whole.counts).all()
    assert all((joined.values[n] == whole.values[n]).all() for n in whole.values)
