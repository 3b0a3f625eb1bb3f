"""The files of a matrix: whole, escaped, with the commands that fill it."""

import csv
import io
import shlex

import pytest
from rich.console import Console

from seg.comparison.configurations import read_runs
from seg.comparison.matrix import make_matrix
from seg.report.matrix import show, write
from seg.runs.find import find
from tests.comparison.written import config_of, counts_of, reference, write_evaluation, write_run
from tests.report.comparison.test_page import EVIL, _Reader

SIZES = reference(30)
GIVEN = ["dataset=folder", "dataset.root='/data/other set'"]


def _write(root, levels):
    for k, level in enumerate(levels):
        name = EVIL if k == 0 else f"c{k}"
        keys = {"optimizer.lr": k + 1, "dataset.name": "polyps" if k else EVIL}
        counts = counts_of(SIZES, SIZES * 0 + 0.8 + level)
        run = write_run(root / f"r {k}=1", counts=counts, config=config_of(name=name, **keys))
        for name in ("test", "other")[: 2 - (k == 1)]:
            write_evaluation(run, name, counts=counts, given=GIVEN if name == "other" else [])


@pytest.fixture
def written(tmp_path):
    _write(tmp_path / "runs", [0, -0.2, -0.3])
    (tmp_path / "runs" / "r 2=1" / "evaluate" / "other" / "other.json").write_text("{")
    matrix = make_matrix(read_runs(find(str(tmp_path / "runs"))), dict.fromkeys(["test", "other"]))
    write(matrix, tmp_path / "out")
    return matrix, tmp_path / "out"


def test_the_page_is_whole_escaped_and_alone_with_itself(written):
    _, folder = written
    page = (folder / "matrix.html").read_text()
    reader = _Reader()
    reader.feed(page)
    assert (reader.open, reader.wrong, reader.fetched, reader.scripts) == ([], [], [], 1)
    assert EVIL in "".join(reader.text)
    assert "<script>alert" not in (folder / "matrix.md").read_text()


def test_cells_are_coloured_by_their_figure(written):
    matrix, folder = written
    page = (folder / "matrix.html").read_text()
    for cell in (cell for column in matrix.columns for cell in column.cells):
        if cell.figure is not None:
            assert f"--heat: {cell.figure.value:.3f}" in page


def test_lower_is_better_has_the_colours_turned_round(tmp_path):
    _write(tmp_path / "runs", [0, -0.2])
    counts = counts_of(SIZES, SIZES * 0 + 0.8)
    for k, run in enumerate(find(str(tmp_path / "runs"))):
        path = write_evaluation(run, "more", counts=counts) / "more_cases.csv"
        head, *lines = path.read_text().splitlines()
        path.write_text("\n".join([f"{head},hd95", *(f"{line},{10 + 5 * k}" for line in lines)]))
    matrix = make_matrix(read_runs(find(str(tmp_path / "runs"))), {"more": None}, metric="hd95")
    write(matrix, tmp_path / "out")
    page = (tmp_path / "out" / "matrix.html").read_text()
    assert page.index("--heat: 1.000") < page.index("--heat: 0.000")


def test_the_csv_has_a_line_for_each_cell(written):
    matrix, folder = written
    with (folder / "matrix.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["configuration"], row["dataset"]) for row in rows] == [
        (row.label, column.name) for row in matrix.rows for column in matrix.columns
    ]
    for row, cell in zip(rows, (c.cells[i] for i in range(3) for c in matrix.columns), strict=True):
        assert row["value"] == ("" if cell.figure is None else f"{cell.figure.value:.6g}")


def test_the_command_of_a_missing_cell_is_read_as_it_is_printed(written):
    matrix, folder = written
    with (folder / "matrix.csv").open(newline="") as handle:
        commands = [row["commands"] for row in csv.DictReader(handle) if row["commands"]]
    (command,) = commands
    assert command in (folder / "matrix.md").read_text()
    assert "other.json cannot be read" in (folder / "matrix.md").read_text().replace("\\_", "_")
    python, flag, module, *lines = shlex.split(command)
    assert (python, flag, module) == ("python", "-m", "seg.evaluate")
    assert lines == [f"run={matrix.rows[1].runs[0].folder.path}", *GIVEN]


@pytest.mark.parametrize("width", [80, 100])
def test_the_console_shows_every_cell_and_what_is_missing(written, width):
    matrix, folder = written
    stream = io.StringIO()
    show(matrix, folder, Console(file=stream, width=width))
    text = stream.getvalue()
    assert f"*{matrix.columns[0].cells[0].figure.value:.4f} own" in text
    for cell in (cell for column in matrix.columns for cell in column.cells if cell.figure):
        assert f"{cell.figure.low:.2f} - {cell.figure.high:.2f}" in text
    assert "missing: c1 on other" in text
    assert max(map(len, text.splitlines()[:12])) <= width
