"""Run folders are found wherever they lie."""

import numpy as np
import pytest

from seg.runs.find import find
from tests.comparison.written import counts_of, reference, write_run

COUNTS = counts_of(reference(6), np.full(6, 0.8))


def test_runs_are_found_by_folder_glob_list_and_with_brackets_in_the_name(tmp_path):
    for name in ("a/x/1", "a/x/2", "b/0_loss=[bce,dice]", "a/.hidden/3"):
        write_run(tmp_path / name, counts=COUNTS)
    (tmp_path / "a" / "prepare").mkdir()
    a, b = tmp_path / "a", tmp_path / "b"
    assert [f.name for f in find(str(a))] == ["1", "2"]
    assert [f.name for f in find(str(a / "x" / "1"))] == ["1"]
    assert [f.name for f in find(f"{tmp_path}/*/*/2")] == ["2"]
    assert [f.name for f in find(f"{tmp_path}/**/2")] == ["2"]
    assert [f.name for f in find([str(b / "0_loss=[bce,dice]"), str(a), str(a / "x")])] == [
        "1", "2", "0_loss=[bce,dice]",
    ]  # fmt: skip


@pytest.mark.parametrize("where", ["nothing*", "empty"])
def test_nothing_found_is_an_error_that_names_the_pattern(tmp_path, monkeypatch, where):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"runs={where[:5]}"):
        find(where)
