"""The files of a comparison: whole, escaped, and the page alone with itself."""

import csv
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from seg.comparison.configurations import read_runs
from seg.comparison.ranking import compare
from seg.report.comparison import show, write
from seg.runs.find import find
from tests.comparison.written import config_of, counts_of, reference, write_run

EVIL = "<script>alert(1)</script>|[b]&\"'"
EMPTY = {"meta", "line", "circle", "br"}  # tags without an end


class _Reader(HTMLParser):
    """Keeps open tags, and what the page would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.fetched, self.scripts, self.tags = [], [], [], 0, []
        self.curves, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.scripts += tag == "script"
        self.curves += [v for k, v in attrs if k == "d" and "L" in v]
        links = [v for k, v in attrs if k in ("src", "href", "data", "xlink:href")]
        self.fetched += [link for link in links if not link.startswith("#")]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in EMPTY:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    sizes, rng = reference(30), np.random.default_rng(0)
    for k in range(3):
        config = config_of(name=EVIL if k == 0 else f"c{k}", **{"optimizer.lr": (k + 1) / 10})
        config["dataset"]["root"] = "/a/very/long/path/" + "x" * 200 + str(k)
        config["dataset"]["url"] = f"https://example.org/{k}"
        counts = counts_of(sizes, rng.beta(6, 2, 30) - 0.1 * k)
        write_run(root / f"{k}", counts=counts, config=config, epochs=300)
    write_run(root / "late", counts=counts, status="running", config=config_of(name=EVIL))
    write_run(root / "img src=x onerror=1", counts=counts, status="failed")
    return compare(read_runs(find(str(root))))


@pytest.fixture(scope="module")
def files(comparison, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "new" / "folder"
    write(comparison, folder)
    return folder


def _read(files):
    reader = _Reader()
    reader.feed((files / "leaderboard.html").read_text())
    reader.close()
    return reader


def test_the_page_is_well_formed_and_fetches_nothing(files):
    reader = _read(files)
    assert reader.wrong == []
    assert reader.open == []
    assert reader.fetched == []
    assert not {"link", "img", "iframe", "object"} & set(reader.tags)
    style = (files / "leaderboard.html").read_text().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_names_and_values_are_escaped(files):
    reader = _read(files)
    assert reader.scripts == 1  # the page's own
    assert EVIL in "".join(reader.text).replace("…", "")
    page = (files / "leaderboard.html").read_text()
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 3


def test_the_page_holds_ranks_curves_differences_and_the_unranked(files):
    page = (files / "leaderboard.html").read_text()
    text = "".join(_read(files).text)
    assert page.count(", highest 0.") == 3  # a curve each, with its name
    assert "optimizer.lr" in text
    assert "loss.smooth" not in text  # equal in all
    assert "x" * 60 not in text  # shortened, whole in the title
    assert "x" * 200 in (files / "leaderboard.html").read_text()
    assert "Not ranked" in text
    assert re.search(r"late\s*running", text)


def test_curves_are_thinned(files):
    lengths = [len(path.split("L")) for path in _read(files).curves]
    curves = [length for length in lengths if length > 5]  # frames and grid have fewer points
    assert len(curves) == 3
    assert all(100 <= length <= 130 for length in curves)


def test_every_column_can_be_sorted_by_a_key(files):
    page = (files / "leaderboard.html").read_text()
    board = page.split("<tbody>")[1].split("</tbody>")[0]
    for row in board.split("<tr>")[1:]:
        keys = re.findall(r'data-key="([^"]*)"', row)
        assert len(keys) == row.count("<td")


def test_csv_holds_ranked_and_unranked_rows_and_all_figures(files, comparison):
    with (files / "leaderboard.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["rank"] for row in rows[3:]] == ["", ""]
    assert {row["status"] for row in rows[3:]} == {"running", "failed"}
    assert rows[0]["configuration"] == comparison.entries[0].label == EVIL
    for name in ("dice", "dice_low", "dice_high", "iou_pooled", "dice_positive", "optimizer.lr"):
        assert rows[0][name] != ""
    assert float(rows[0]["dice"]) == pytest.approx(
        comparison.entries[0].figures["dice"][0], abs=1e-5
    )
    with (files / "pairs.csv").open(newline="") as handle:
        pairs = list(csv.DictReader(handle))
    assert len(pairs) == 3
    assert {"difference", "low", "high", "p", "p_holm", "d_z", "rank_biserial", "says"} < set(
        pairs[0]
    )


def test_markdown_has_a_row_a_configuration_whatever_its_name(files):
    lines = (files / "leaderboard.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| 1")]
    head = next(line for line in lines if line.startswith("| rank"))
    assert rows
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"\|", head))
    assert "<script>" not in "\n".join(lines)


def test_the_console_shows_one_screen_with_the_verdict_last(comparison, tmp_path):
    for width in (80, 160):
        console = Console(file=io.StringIO(), width=width)
        show(comparison, tmp_path, console)
        lines = console.file.getvalue().splitlines()
        assert len(lines) < 24
        assert " in dice" in lines[-1]
        table = [line for line in lines if re.match(r"\s+\d=? ", line)]
        assert len(table) == 3
        assert all(len(line) <= width and "0." in line for line in table)
