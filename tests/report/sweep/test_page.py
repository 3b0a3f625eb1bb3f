"""leaderboard.html of a sweep: well formed, alone with itself, and says what it knows."""

import re
import shlex
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from seg.comparison.effects import effects
from seg.report import sweep as leaderboard
from seg.report.sweep.page import effect_chart, repeat
from tests.comparison.sweep_written import grid, write_job, write_plan

EVIL = "<script>alert(1)</script>&\"'"
EMPTY = {"meta", "line", "circle", "br", "img"}  # tags without an end


class _Reader(HTMLParser):
    """Keeps open tags, text, and what the page would fetch."""

    def __init__(self, page):
        super().__init__()
        self.open, self.wrong, self.fetched, self.tags, self.text = [], [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        links = [v for k, v in attrs if k in ("src", "href", "data", "xlink:href")]
        self.fetched += [link for link in links if not link.startswith("#")]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text.append(data)


def _page(sweep):
    leaderboard.write(sweep)
    page = (sweep / "leaderboard.html").read_text(encoding="utf-8")
    reader = _Reader(page)
    assert reader.wrong == []
    assert reader.open == []
    return page, reader


SCORES = {
    ("bce", "0.1"): 0.5, ("bce", "0.01"): 0.6, ("dice", "0.1"): 0.7, ("dice", "0.01"): 0.8,
    ("focal", "0.1"): None,
}  # fmt: skip


def test_the_page_opens_with_the_verdict_and_holds_every_part(tmp_path):
    grid(tmp_path, SCORES)
    page, reader = _page(tmp_path)
    text = re.sub(r"\s+", " ", "".join(reader.text))
    verdict = text.index("loss=dice optimizer.lr=0.01, val/dice 0.8000")
    places = [text.index(part) for part in (
        "Jobs", "The effect of each key", "Validation curves", "What failed, and why", "To repeat",
        "Notes",
    )]  # fmt: skip
    assert [verdict, *places] == sorted([verdict, *places])
    assert "nan with focal 0.1" in text
    assert "seed=0,1,2" in text
    assert re.search("dice 0.7500, bce 0.5500; .* focal", text)
    assert page.count(", highest 0.") == 5  # curves; the failed one has one as well
    assert re.findall('aria-label="val/dice by ([^"]*)"', page) == ["loss", "optimizer.lr"]


def test_it_fetches_nothing_and_has_no_script_but_its_own(tmp_path):
    grid(tmp_path, SCORES)
    page, reader = _page(tmp_path)
    assert reader.fetched == []
    assert reader.tags.count("script") == 1
    assert "url(" not in page.replace("url(#", "")  # what a chart defines itself
    assert "@import" not in page


def test_names_values_errors_and_commands_are_escaped(tmp_path):
    lines = [[f"loss={EVIL.replace('/', '_')}"], ["loss=b"]]
    write_plan(tmp_path, lines, command=f"python {EVIL}")
    write_job(tmp_path, 0, lines[0], val=0.5)
    write_job(tmp_path, 1, lines[1], status="failed", error=EVIL)
    page, reader = _page(tmp_path)
    assert reader.tags.count("script") == 1
    assert "<script>alert" not in page
    assert EVIL in "".join(reader.text)


def test_statuses_carry_their_colours(tmp_path):
    grid(tmp_path, SCORES)
    write_job(tmp_path, 9, ["loss=x"], status='odd" onload="x')
    page, reader = _page(tmp_path)
    assert page.count('<span class="badge finished">finished</span>') == 4
    assert page.count('<span class="badge failed">failed</span>') == 2  # both tables
    assert 'class="badge">odd&#34;' in page


def test_every_job_has_a_row_and_every_cell_a_heading(tmp_path):
    grid(tmp_path, SCORES)
    page, _ = _page(tmp_path)
    tables = re.findall(r"<table>.*?</table>", page, re.DOTALL)
    assert len(tables) == 2  # jobs, and what failed
    for table in tables:
        count = table.count("<th ")
        rows = table.split("<tr>")[2:]
        assert all(row.count("<td") == count for row in rows)
    jobs = page.split("<h2>Jobs</h2>")[1].split("</table>")[0]
    assert jobs.count("<tr>") == 1 + 5


def test_folds_have_a_table_of_configurations_and_say_what_the_test_has_seen(tmp_path):
    i = 0
    for k in "ab":
        for fold in range(2):
            cases = slice(20 * fold, 20 * fold + 20)
            write_job(tmp_path, i, [f"loss={k}", f"dataset.split.fold={fold}"], val=0.5,
                      cases=cases)  # fmt: skip
            i += 1
    _, reader = _page(tmp_path)
    text = "".join(reader.text)
    assert "Configurations" in text
    assert "cases of all folds together" in text
    assert "had no part in the choice" not in text
    assert "all pairs of configurations" in text


def test_why_nothing_could_be_compared_is_noted_below_the_table(tmp_path):
    write_job(tmp_path, 0, ["k=0"], val=0.9)
    write_job(tmp_path, 1, ["k=1"], val=0.8, cases=slice(0, 30))
    _, reader = _page(tmp_path)
    text = "".join(reader.text)
    assert "not compared on the test: " in text
    assert "10 cases missing" in text
    assert "behind" not in text


def test_pictures_of_a_search_are_set_in_and_what_is_none_is_named(tmp_path):
    grid(tmp_path, SCORES)
    cv2.imwrite(str(tmp_path / "search_history.png"), np.zeros((9, 9), np.uint8))
    (tmp_path / "search_parallel.png").write_text("<svg onload=x>")
    page, reader = _page(tmp_path)
    assert len(reader.fetched) == 1
    assert reader.fetched[0].startswith("data:image/png;base64,iVBOR")
    assert "search_parallel.png" in "".join(reader.text)
    assert "<svg onload" not in page


@pytest.mark.parametrize("scores", [{}, {("bce", "1"): 0.5}, {("bce", "1"): None}])
def test_no_job_one_job_and_only_failures_give_a_whole_page(tmp_path, scores):
    grid(tmp_path, scores)
    page, _ = _page(tmp_path)
    assert page.endswith("</html>\n")


def test_the_command_to_repeat_survives_a_shell(tmp_path):
    run = tmp_path / "with space" / "0_loss=[a,b];x"
    words = shlex.split(repeat(run))
    assert words == [
        "python", "-m", "seg.train", "--config-path", str(run), "--config-name", "config",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["run.json", "config.yaml", "test.json", "test_cases.csv",
                                  "metrics.csv", "split.csv"])  # fmt: skip
@pytest.mark.parametrize("content", [b"", b"\xff\x00", b'{"status": 1, "metrics": 3}', b"a,b\n1"])
def test_whatever_a_file_of_a_job_holds_the_page_is_written(tmp_path, name, content):
    lines = grid(tmp_path, {("a", "1"): 0.5, ("b", "1"): 0.6})
    (tmp_path / f"1_{','.join(lines[1])}" / name).write_bytes(content)
    page, reader = _page(tmp_path)
    assert "loss=a" in "".join(reader.text)


def _chart(table):
    """The page's SVG of the first effect, from ({key: value}, val/dice or None) pairs."""
    rows = [
        {"number": i, "overrides": overrides}
        | ({"status": "failed"} if score is None else {"status": "finished", "val/dice": score})
        for i, (overrides, score) in enumerate(table)
    ]
    return str(effect_chart(effects(rows)[0]))


def test_the_chart_of_a_few_values_has_a_row_for_each_with_its_figures():
    scores = {"bce": 0.1, "dice": 0.4, "focal": None}
    chart = _chart([({"loss": loss, "b": b}, score and score + int(b) / 100)
                    for loss, score in scores.items() for b in "12"])  # fmt: skip
    assert "0.1150 ± 0.0071, 2 jobs" in chart
    assert "0.4150 ± 0.0071, 2 jobs" in chart
    assert "none of 2 finished" in chart
    assert chart.index(">dice<") < chart.index(">bce<") < chart.index(">focal<")


def test_the_chart_of_a_searched_range_has_a_dot_for_each_job():
    table = [({"lr": f"{10 ** -(1 + i / 7):.6g}"}, 0.5 + i % 5 / 10) for i in range(30)]
    chart = _chart(table)
    assert len(re.findall(r"<title>[^<]*: 0\.\d{4}</title>", chart)) == 30
    assert "±" not in chart
    assert re.findall(r">(1e.05|0\.0001|0\.001|0\.01|0\.1)</text>", chart) == [
        "1e−05", "0.0001", "0.001", "0.01", "0.1",
    ]  # fmt: skip


def test_a_chart_of_too_many_values_keeps_the_best_of_them():
    chart = _chart([({"loss": f"l{i:02}"}, i / 100) for i in range(20)])
    assert "l19" in chart
    assert "l05" not in chart
