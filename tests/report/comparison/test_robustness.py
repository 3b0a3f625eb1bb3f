"""robustness.png of a comparison: there if all runs have curves of the same corruptions."""

import copy
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from seg.comparison.configurations import read_runs
from seg.comparison.ranking import compare
from seg.report import robustness
from seg.report.comparison import show, write
from tests.comparison.written import config_of, counts_of, reference, write_run
from tests.report.test_robustness import content_of


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two configurations, the second with two seeds, whose curves begin at .8, .7 and .6."""
    paths, sizes = [], reference(20)
    for i, (rate, seed) in enumerate([(0.1, 0), (0.2, 0), (0.2, 1)]):
        counts = counts_of(sizes, np.random.default_rng(i).beta(6, 2, 20))
        config = config_of(name=f"rate{rate}", seed=seed, **{"optimizer.lr": rate})
        path = write_run(tmp_path / "runs" / str(i), counts=counts, config=config)
        add(path, content_of(0.8 - i / 10))
        paths.append(path)
    return paths


def add(run: Path, content: dict | None) -> None:
    test = json.loads((run / "test.json").read_text()) | {"robustness": content}
    if content is None:
        del test["robustness"]
    (run / "test.json").write_text(json.dumps(test))


def written(runs: list[Path], folder: Path) -> str:
    comparison = compare(read_runs(runs))
    write(comparison, folder)
    console = Console(file=io.StringIO(), width=200)
    show(comparison, folder, console)
    return console.file.getvalue()


def test_curves_of_seeds_are_averaged(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}
    monkeypatch.setattr(robustness, "draw", lambda curves, path, also: drawn.update(curves))
    written(runs, tmp_path)
    assert set(drawn) == {"rate0.1", "rate0.2"}
    assert drawn["rate0.1"] == content_of(0.8)
    assert drawn["rate0.2"]["clean"]["value"] == pytest.approx(0.65)
    blur = drawn["rate0.2"]["corruptions"]["blur"]
    assert blur["dice"][1]["value"] == pytest.approx(0.65 * 0.81)
    assert blur["unit"] == content_of(1)["corruptions"]["blur"]["unit"]


def test_the_picture_goes_where_a_run_has_no_curves_or_others(
    runs: list[Path], tmp_path: Path
) -> None:
    picture = tmp_path / "out" / "robustness.png"
    assert picture.name in written(runs, picture.parent)
    assert picture.is_file()
    other = copy.deepcopy(content_of(0.7))
    other["corruptions"]["noise"]["amounts"][0] = 0.3
    for content in (other, None):
        add(runs[1], content)
        assert picture.name not in written(runs, picture.parent)
        assert not picture.exists()
        add(runs[1], content_of(0.7))
        written(runs, picture.parent)
        assert picture.is_file()
