"""Runs that were tested on other cases are not ranked, and it is said which and how."""

import numpy as np
import pytest

from seg.comparison.ranking import compare
from seg.comparison.runs import find, read_runs
from tests.comparison.written import config_of, counts_of, reference, write_run

SIZES = reference(10, empty=0)
NAMES = [f"im/{i}.png" for i in range(10)]
BASE = counts_of(SIZES, np.full(10, 0.8))


def _write(root, name, counts=BASE, cases=NAMES, **about):
    write_run(root / name, counts=counts, cases=cases, config=config_of(name=name, **{
        "optimizer.lr": len(list(root.iterdir())) / 100}), **about)  # fmt: skip


def _compare(root, **options):
    return compare(read_runs(find(str(root)), source="test", metric="dice"), **options)


@pytest.fixture
def root(tmp_path):
    for name in ("a", "b"):
        _write(tmp_path, name)
    return tmp_path


def test_missing_and_extra_cases_are_counted_and_named(root):
    _write(root, "odd", cases=["x.png", "y.png", *NAMES[2:]])
    with pytest.raises(ValueError) as caught:
        _compare(root)
    text = str(caught.value)
    assert "odd: 2 cases missing (im/0.png, im/1.png), 2 cases extra (x.png, y.png)" in text
    assert "common=true" in text
    assert "  a:" not in text


def test_the_odd_one_is_named_also_when_it_comes_first(tmp_path):
    _write(tmp_path, "a", counts=BASE[:9], cases=NAMES[:9])
    _write(tmp_path, "b")
    _write(tmp_path, "c")
    with pytest.raises(ValueError, match=r"  a: 1 cases missing \(im/9.png\)"):
        _compare(tmp_path)


def test_other_masks_are_told_by_their_pixels(root):
    counts = BASE.copy()
    counts[3, 0] += [-5, 0, 0, 5]  # five pixels fewer in the reference, the image as large
    _write(root, "odd", counts=counts)
    with pytest.raises(ValueError, match=r"odd: 1 cases with other masks \(im/3.png: polyp has"):
        _compare(root)
    with pytest.raises(ValueError, match="other masks"):
        _compare(root, common=True)


def test_another_image_size_is_said_as_such(root):
    _write(root, "odd", counts=4 * BASE)
    with pytest.raises(ValueError, match=r"odd: 10 cases at another image size.*16384 .* 4096"):
        _compare(root)


def test_other_classes_are_said(root):
    _write(root, "odd", classes=["tumour"])
    with pytest.raises(ValueError, match="odd: classes tumour instead of polyp"):
        _compare(root)


def test_common_cases_are_compared_and_that_is_said(root):
    counts = counts_of(SIZES, np.linspace(0.5, 0.9, 10))
    _write(root, "odd", counts=counts[4:], cases=NAMES[4:])
    found = _compare(root, common=True)
    assert found.cases == 6
    values = {e.label: e.figures["dice"][0] for e in found.entries}
    tp, fp, fn, _ = counts[4:, 0].T
    assert values["odd"] == pytest.approx((2 * tp / (2 * tp + fp + fn)).mean(), abs=1e-6)
    assert any("on the 6 cases that all have, of 6 to 10" in note for note in found.notes)


def test_no_common_case_is_an_error(root):
    _write(root, "odd", cases=[f"x{i}" for i in range(10)])
    with pytest.raises(ValueError, match="share no test case"):
        _compare(root, common=True)


def test_a_figure_that_is_missing_for_some_cases_of_one_run_is_not_compared(root):
    for name in ("a", "b"):
        file = root / name / "test_cases.csv"
        head, *lines = file.read_text().splitlines()
        file.write_text("\n".join([f"{head},hd95", *(f"{line},3.5" for line in lines)]))
    assert _compare(root, metric="hd95").entries[0].figures["hd95"][0] == 3.5
    file = root / "b" / "test_cases.csv"
    file.write_text(file.read_text()[:-3])  # a missed lesion that would drop out of the mean
    with pytest.raises(ValueError, match=r"hd95 is there for other cases \(im/9.png\)"):
        _compare(root, metric="hd95")


def test_the_coarsest_groups_count(root):
    _write(root, "c", groups=[f"p{i // 5}" for i in range(10)])
    found = _compare(root)
    assert found.groups == 2
    assert any("group the cases differently" in note for note in found.notes)
