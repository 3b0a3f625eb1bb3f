"""The notebook in docs/ runs, cell by cell."""

import json
from pathlib import Path

import pytest

from tests.commands import python

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "tutorial.ipynb"


@pytest.mark.slow
def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    # what a cell ends with is shown by a notebook
    shown = "\nimport sys; print('shown:', repr(score), repr(model), mask.shape, result['cases'])"
    done = python("-c", "\n".join(["import matplotlib; matplotlib.use('agg')", *code, shown]),
                  cwd=tmp_path)  # fmt: skip
    assert done.count("epoch ") >= 20
    assert "GPU available" not in done
    assert "val/dice" in done.partition("shown:")[2]
    assert "UNet" in done.partition("shown:")[2]
    (page,) = tmp_path.glob("outputs/compare/*/leaderboard.html")
    assert page.stat().st_size > 1000
