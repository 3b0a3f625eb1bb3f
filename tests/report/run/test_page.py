"""The page: the figures of the run's own files, escaped, alone with itself, whatever is missing."""

import csv
import io
import json
import re
import shutil
import statistics
from html.parser import HTMLParser

import pytest
from rich.console import Console

from seg.report.run import card, page, read, show, write
from tests.report.run.folders import PNG, allocated, change_config, change_json, write_split

EVIL = "<script>alert(1)</script><img src=http://x.example/a.png>|&\"'"
VOID = {"meta", "br", "img"}


class Reader(HTMLParser):
    """Keeps what is open, what would be fetched, the text, the rows of the tables, and the names
    that charts show at the pointer.
    """

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.fetched, self.tags, self.text = [], [], [], [], []
        self.rows, self.tips = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        targets = [v for k, v in attrs if k in ("src", "href", "data", "xlink:href")]
        self.fetched += [v for v in targets if not v.startswith("#")]  # # is within the page
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += f"{data} "
        if self.open[-1:] == ["title"] and "svg" in self.open:
            self.tips.append(data)


def parsed(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.wrong == []
    assert reader.open == []
    return reader


def row_of(reader, head):
    return next(row for row in reader.rows if row and row[0].strip() == head)


def words_of(text):
    """The page's text, with single spaces."""
    return " ".join("".join(parsed(text).text).split())


def paths_of(text):
    """The paths of the page's curves, as points: those in a colour of the series, no bars."""
    paths = re.findall(r'<path d="([^"]*)"[^>]*style="fill: none;[^"]*stroke: var\(--s\d\)', text)
    return [[tuple(map(float, p.split())) for p in re.split("[ML]", d)[1:]] for d in paths]


def test_the_figures_are_those_of_the_files_with_their_intervals(made):
    reader = parsed(page(read(made / "one")))
    test = json.loads((made / "one" / "test.json").read_text())["metrics"]
    path = made / "one" / "evaluate" / "test" / "test.json"
    evaluated = json.loads(path.read_text())["metrics"]
    assert {"dice", "dice_group", "accuracy_pooled"} <= test.keys()
    for name, figure in evaluated.items():
        row = row_of(reader, name)
        for cell, expected in ((row[1], test.get(name)), (row[2], figure)):
            if expected is None:
                assert cell.strip() == "-"
                continue
            numbers = [float(n) for n in re.findall(r"[\d.]+", cell)]
            assert numbers == pytest.approx(
                [expected["value"], expected["low"], expected["high"]], abs=0.50001e-4
            )


def test_columns_are_named_by_their_result_and_told_apart(made):
    text = page(read(made / "one"))
    heads = row_of(parsed(text), "figure")
    assert [head.split(",")[0] for head in heads[1:]] == ["test", "evaluate/test"]
    assert "64x64" in heads[1]
    assert "never across" in text
    assert "neither with each other" in text
    assert "0.8125" in row_of(parsed(text), "kvasir")[1]
    assert "one class only" in row_of(parsed(text), "buda")[1]


def test_the_verdict_says_what_was_trained_on_what_and_scored_on_what(made):
    text = words_of(page(read(made / "one")))
    figure = json.loads((made / "one" / "test.json").read_text())["metrics"]["dice"]
    own = json.loads((made / "one" / "evaluate" / "test" / "test.json").read_text())["metrics"]
    value, low, high = (f"{figure[key]:.4f}" for key in ("value", "low", "high"))
    expected = [
        "UNet", "6 epochs", "DiceLoss", "AdamW", "100 cases", "50 groups", "polyps",
        "test dice", value, low, high, "80 cases", "40 groups", "64x64",
        f"{own['dice']['value']:.4f}",
    ]  # fmt: skip
    assert re.search(".{1,60}".join(map(re.escape, expected)), text)


def test_never_seen_is_not_said_where_the_split_leaks(run):
    write_split(run / "split.csv", {"images/000_0.png": {"split": "test"}})
    assert "seen in training" not in page(read(run))
    write_split(run / "split.csv", {case: {"group": case} for case, _, _ in allocated()})
    assert "not seen in training" in page(read(run))


def test_the_verdict_names_tuning_and_leaves_out_an_evaluation_of_other_weights(run):
    path = run / "evaluate" / "test" / "test.json"
    own = f"{json.loads(path.read_text())['metrics']['dice']['value']:.4f}"

    def verdict():
        return page(read(run)).split("</header>")[0]

    assert own in verdict()
    assert "tuned" not in verdict()
    change_json(path, threshold=0.4)
    assert own in verdict()
    assert "tuned" in verdict()
    change_json(path, checkpoint="/elsewhere/checkpoints/last.ckpt")
    assert own not in verdict()


def test_the_headline_is_of_the_metric_and_the_source(made):
    one = read(made / "one", metric="hd95", source="evaluate/test")
    assert one.headline.figure == (3.25, 2.5, 4.125)
    assert re.search("hd95 3.2500 .*2.5000 to 4.1250", page(one).split("</header>")[0])
    two = read(made / "two", metric="dice/cytoplasm")
    classes = json.loads((made / "two" / "test.json").read_text())["classes"]
    assert two.headline.figure.value == classes["cytoplasm"]["dice"]["value"]


def test_a_metric_or_source_that_is_not_there_is_refused_with_what_there_is(made):
    with pytest.raises(ValueError, match=r"metric=dise: test .*nearest: dice\)"):
        read(made / "one", metric="dise")
    with pytest.raises(ValueError, match="metric=dice/x: test "):
        read(made / "one", metric="dice/x")
    with pytest.raises(FileNotFoundError, match=r"source=evaluate/lgg.* test, evaluate/test"):
        read(made / "one", source="evaluate/lgg")


def test_the_ten_worst_cases_are_those_of_the_table_in_order(made):
    with (made / "two" / "test_cases.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    dice = {}
    for row in rows:
        dice.setdefault(row["case"], []).append(float(row["dice"]))
    worst = sorted(dice, key=lambda case: statistics.mean(dice[case]))[:10]
    reader = parsed(page(read(made / "two")))
    shown = [row for row in reader.rows if row and row[0].startswith("images/")]
    assert [row[0].strip() for row in shown] == worst
    for row, case in zip(shown, worst, strict=True):
        assert float(row[2]) == pytest.approx(statistics.mean(dice[case]), abs=1e-4)
    counts = {(r["case"], r["class"]): r for r in rows}
    first = counts[worst[0], "nucleus"]
    share = 100 * (int(first["tp"]) + int(first["fn"])) / 4096
    assert shown[0][3].strip() == f"{share:.2f} %"
    share = 100 * (int(first["tp"]) + int(first["fp"])) / 4096
    assert shown[0][4].strip() == f"{share:.2f} %"


def test_the_histogram_holds_every_case_and_its_median(made):
    text = page(read(made / "one"))
    svg = re.search(r'<div class="histogram">(.*?</svg>)', text, re.DOTALL)[1]
    bars = [int(n) for n in re.findall(r" to [\d.]+: (\d+)</title>", svg)]
    with (made / "one" / "test_cases.csv").open(newline="") as handle:
        values = [float(row["dice"]) for row in csv.DictReader(handle)]
    assert sum(bars) == len(values) == 80
    assert f"median {statistics.median(values):.3f}" in svg


def test_groups_have_their_cases_mean_and_pooled_dice(made):
    reader = parsed(page(read(made / "one")))
    with (made / "one" / "test_cases.csv").open(newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["group"] == "patient 77"]
    row = row_of(reader, "patient 77")
    tp, fp, fn = (sum(int(r[key]) for r in rows) for key in ("tp", "fp", "fn"))
    assert int(row[1]) == 2
    assert float(row[2]) == pytest.approx(sum(float(r["dice"]) for r in rows) / 2, abs=1e-4)
    assert float(row[3]) == pytest.approx(2 * tp / (2 * tp + fp + fn), abs=1e-4)


def test_classes_have_figures_of_their_own(made):
    text = page(read(made / "two"))
    classes = json.loads((made / "two" / "test.json").read_text())["classes"]
    row = row_of(parsed(text), "nucleus")
    assert f"{classes['nucleus']['dice']['value']:.4f}" in row[1]
    assert "<caption>test, at 64x64" in text


def test_curves_are_there_with_the_kept_epoch_and_stages(run):
    text = (
        (run / "metrics.csv")
        .read_text()
        .replace("4,main", "4,second")
        .replace("5,main", "5,second")
    )
    (run / "metrics.csv").write_text(text.replace("6,main", "6,second"))
    shown = page(read(run))
    tips = parsed(shown).tips
    assert tips.count("best epoch, 4") == 3
    assert tips.count("a stage begins") == 3
    names = [tip.split(",")[0] for tip in tips if ", last " in tip]
    assert sorted(names) == ["rate", "train", "train", "validation", "validation"]
    curves = paths_of(shown)
    assert len(curves) == 5
    for points in curves:
        assert len(points) == 6
        assert all(0 <= x <= 380 and 0 <= y <= 240 for x, y in points)
        assert [x for x, _ in points] == sorted({x for x, _ in points})


def test_a_single_epoch_and_gaps_are_drawn(run):
    (run / "metrics.csv").write_text("epoch,stage,lr,train/loss,val/loss\n1,main,0.1,nan,0.5\n2,m")
    shown = page(read(run))
    tips = parsed(shown).tips
    assert [tip for tip in tips if ", last " in tip] == ["validation, last 0.5", "rate, last 0.1"]
    assert shown.count("<use ") == 2  # a dot each
    assert [len(points) for points in paths_of(shown)] == [1, 1]  # no line


def test_pictures_stand_in_the_page_and_nothing_is_fetched(made):
    reader = parsed(page(read(made / "one")))
    assert len(reader.fetched) == 5  # worst, median, best, the last of the validation, one curve
    assert all(source.startswith("data:image/png;base64,") for source in reader.fetched)
    assert "validation, after epoch 6" in reader.text
    assert not {"link", "iframe", "object", "base", "form"} & set(reader.tags)
    text = page(read(made / "one"))
    assert text.count("<style") == 1
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)", text))
    policy = re.search('http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.split("; ") == [
        "default-src 'none'", "style-src 'unsafe-inline'", "script-src 'unsafe-inline'",
        "img-src data:",
    ]  # fmt: skip


def test_of_the_validation_the_last_picture_is_shown(run):
    last = PNG[:8] + b"another" + PNG[8:]
    (run / "panels" / "epoch_006.png").write_bytes(last)
    (shown,) = [p.content for p in read(run).panels if p.title == "validation, after epoch 6"]
    assert shown == last


def test_names_values_and_errors_are_escaped(run):
    change_config(run, name=EVIL, dataset__root=f"/data/{EVIL}", model__width=EVIL)
    error, versions = f"boom {EVIL}", {EVIL: EVIL}
    change_json(run / "run.json", name=EVIL, status="failed", error=error, versions=versions)
    change_json(run / "run.json", command=f"python -m seg.train 'x={EVIL.replace(chr(39), '')}'")
    change_json(run / "evaluate" / "test" / "test.json", protocols={EVIL: {EVIL: EVIL}}, unit=EVIL)
    for name in ("test_cases.csv", "split.csv"):
        text = (run / name).read_text().replace("patient 77", "<b onclick=x>7")
        (run / name).write_text(text)
    text = page(read(run))
    reader = parsed(text)
    assert reader.tags.count("script") == 1  # the page's own
    assert all(source.startswith("data:") for source in reader.fetched)
    assert "<b onclick" not in text
    assert "&lt;b onclick=x&gt;7" in text
    assert text.count("&lt;script&gt;alert") >= 8


def test_what_is_not_finished_says_so_at_the_top(run):
    change_json(run / "run.json", status="failed", error="the loss is nan")
    (run / "test.json").unlink()
    head = page(read(run)).split("</header>")[0]
    banner, verdict = (
        re.search(f'<p class="{k}">(.*?)</p>', head)[1] for k in ("banner", "verdict")
    )
    assert "failed" in banner
    assert verdict.startswith("polyps-unet-dice: failed (the loss is nan).")
    assert re.search("0.9000, in epoch 4", verdict)  # the best validation Dice
    change_json(run / "run.json", status="finished")
    assert 'class="banner"' not in page(read(run))


@pytest.mark.parametrize(
    "kept", ["run.json", "config.yaml", "metrics.csv", "split.csv", "test.json"]
)
def test_a_folder_of_which_one_file_is_left_still_makes_a_page(made, tmp_path, kept):
    folder = tmp_path / "left"
    folder.mkdir()
    shutil.copy(made / "one" / kept, folder)
    one = read(folder)
    assert parsed(page(one)).text
    write(one, tmp_path / "out")
    assert (tmp_path / "out" / "model_card.md").is_file()


@pytest.mark.parametrize(
    "name", ["run.json", "config.yaml", "metrics.csv", "split.csv", "test.json", "test_cases.csv"]
)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[1, 2]", b"{}", b"null", b"a,b\n1"])
def test_files_that_are_torn_never_stop_the_page(run, name, content):
    (run / name).write_bytes(content)
    assert parsed(page(read(run))).text


@pytest.mark.parametrize("odd", [None, 3, "x", [[1]], {"a": [1]}, float("nan")])
@pytest.mark.parametrize(
    "key", ["dataset", "dataset__split", "dataset__channels", "dataset__classes", "stages", "model",
            "loss", "trainer", "threshold"],
)  # fmt: skip
def test_a_configuration_of_odd_values_never_stops_the_page(run, key, odd):
    change_config(run, **{key: odd})
    one = read(run)
    assert parsed(page(one)).text
    assert card(one)


def test_a_folder_may_be_moved(made, tmp_path):
    there = shutil.copytree(made / "one", tmp_path / "another_place")
    before, after = page(read(made / "one")), page(read(there))
    assert after.replace(str(there), str(made / "one")) == before


def test_the_choices_of_the_command_come_first_and_all_keys_are_folded(made):
    text = page(read(made / "one"))
    reader = parsed(text)
    assert [c.strip() for c in row_of(reader, "loss")] == [
        "loss",
        "dice",
        "seg.losses.dice.DiceLoss",
    ]
    assert [c.strip() for c in row_of(reader, "optimizer.lr")] == ["optimizer.lr", "1e-3", "0.001"]
    folded = text.split("<details><summary>all ")[1]
    assert "loss.smooth" in folded
    assert "loss.smooth" not in text.split("<details><summary>all ")[0]


def test_data_and_environment_are_told(made):
    reader = parsed(page(read(made / "one")))
    assert row_of(reader, "train split")[1].strip() == "100 cases, 50 groups"
    assert row_of(reader, "took")[1].strip() == "1 h 02 min"
    assert row_of(reader, "processor time")[1].strip() == "61.5 s"
    assert row_of(reader, "git commit")[1].strip() == "0123abcd"
    assert row_of(reader, "torch")[1].strip() == "2.13.0"
    assert re.fullmatch("[0-9a-f]{12}", row_of(reader, "split fingerprint")[1].strip())


def test_an_audit_of_the_same_files_adds_its_sizes_and_warnings(run):
    place = run.parents[1] / "prepare" / "polyps" / "2026-01-01_00-00-00"
    place.mkdir(parents=True)
    size = {"count": 200, "min": 332.0, "median": 500.0, "max": 1072.0}
    content = {
        "count": 200, "width": size, "near_duplicates": [], "masks": 200, "empty": 3, "errors": [],
        "warnings": [{"kind": "small", "text": "4 tiny <masks>"}], "dataset": {},
    }  # fmt: skip
    (place / "audit.json").write_text(json.dumps(content))
    write_split(place / "split.csv", {"images/000_0.png": {"split": "test"}})  # a split of its own
    reader = parsed(page(read(run)))
    assert row_of(reader, "width of the images")[1].strip() == "332 to 1072, median 500"
    assert row_of(reader, "empty masks")[1].strip() == "3 of 200"
    assert "4 tiny <masks>" in reader.text


@pytest.mark.parametrize(
    "changes",
    [{"near_duplicates": {"a": 1}}, {"near_duplicates": [[1]]}, {"warnings": 3}, {"errors": ["x"]},
     {"width": {"min": "a"}}],
)  # fmt: skip
def test_an_audit_of_another_form_is_not_believed(run, changes):
    place = run.parents[1] / "prepare" / "polyps" / "2026-01-01_00-00-00"
    place.mkdir(parents=True)
    write_split(place / "split.csv")
    sound = {"near_duplicates": [], "warnings": [], "errors": [], "dataset": {}}
    (place / "audit.json").write_text(json.dumps(sound))
    assert read(run).audit == sound
    (place / "audit.json").write_text(json.dumps(sound | changes))
    assert read(run).audit is None
    assert "near-duplicates" not in [row[0].strip() for row in parsed(page(read(run))).rows if row]


def test_a_picture_too_large_for_a_page_is_left_out_and_named(run, monkeypatch):
    monkeypatch.setattr("seg.report.embedded.LARGEST", len(PNG) - 1)
    one = read(run)
    assert "<img" not in page(one)
    broken = [c.text for c in one.caveats if c.kind == "broken file"]
    assert [text.split()[0] for text in broken] == [
        "worst.png", "median.png", "best.png", "epoch_006.png", "pr_curve.png",
    ]  # fmt: skip


def test_both_files_are_written_whole_and_nothing_else(made, tmp_path):
    folder = tmp_path / "new" / "folder"
    write(read(made / "one"), folder)
    assert {f.name for f in folder.iterdir()} == {"report.html", "model_card.md"}
    assert (folder / "report.html").read_text() == page(read(made / "one"))


def test_the_console_has_verdict_and_caveats_in_a_few_lines(made, run, tmp_path):
    write_split(run / "split.csv", {case: {"group": case} for case, _, _ in allocated()})
    change_json(run / "run.json", status="failed", error="[red]boom " + "x" * 300)
    console = Console(file=io.StringIO(), width=80)
    show(read(run), tmp_path, console)
    lines = console.file.getvalue().splitlines()
    assert "[red]boom" in lines[0]
    assert lines[1].startswith("! not finished: ")
    assert all(len(line) <= 160 for line in lines[1:-1])
    assert max(map(len, lines[1:-1])) > 80  # a sentence is not cut at the console's width
    assert lines[-1] == f"{tmp_path}: report.html, model_card.md"
    assert len(lines) < 20
