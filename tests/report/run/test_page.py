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
VOID = {"meta", "line", "circle", "br", "img", "rect"}


class Reader(HTMLParser):
    """Keeps what is open, what would be fetched, the text, and the rows of the tables."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.fetched, self.tags, self.text = [], [], [], [], []
        self.rows = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [v for k, v in attrs if k in ("src", "href", "data", "xlink:href")]
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


def parsed(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.wrong == []
    assert reader.open == []
    return reader


def row_of(reader, head):
    return next(row for row in reader.rows if row and row[0].strip() == head)


def test_the_figures_are_those_of_the_files_with_their_intervals(made):
    reader = parsed(page(read(made / "one")))
    test = json.loads((made / "one" / "test.json").read_text())["metrics"]
    path = made / "one" / "evaluate" / "test" / "test.json"
    evaluated = json.loads(path.read_text())["metrics"]
    assert {"dice", "dice_group", "accuracy_pooled"} <= test.keys()
    for name, figure in evaluated.items():
        row = row_of(reader, name)
        for cell, held in ((row[1], test.get(name)), (row[2], figure)):
            if held is None:
                assert cell.strip() == "-"
                continue
            numbers = [float(n) for n in re.findall(r"[\d.]+", cell)]
            assert numbers == pytest.approx(
                [held["value"], held["low"], held["high"]], abs=0.50001e-4
            )


def test_columns_say_what_they_are_of_and_are_told_apart(made):
    text = page(read(made / "one"))
    heads = row_of(parsed(text), "figure")
    assert [head.strip() for head in heads[1:]] == [
        "test, at 64x64", "evaluate/test, at the masks' own size",
    ]  # fmt: skip
    assert "read down a column, never across" in text
    assert "neither with each other nor with the table above" in text
    assert "0.8125" in row_of(parsed(text), "kvasir")[1]
    assert "one class only" in row_of(parsed(text), "buda")[1]


def test_the_verdict_says_what_was_trained_on_what_and_scored_on_what(made):
    text = "".join(parsed(page(read(made / "one"))).text)
    figure = json.loads((made / "one" / "test.json").read_text())["metrics"]["dice"]
    own = json.loads((made / "one" / "evaluate" / "test" / "test.json").read_text())["metrics"]
    value, low, high = (f"{figure[key]:.4f}" for key in ("value", "low", "high"))
    assert (
        "UNet trained for 6 epochs with DiceLoss and AdamW on 100 cases of 50 groups of polyps: "
        f"test dice {value} (95 % {low} to {high}) on 80 cases of 40 groups, none of these groups "
        f"seen in training, at 64x64. At the masks' own size: {own['dice']['value']:.4f}"
    ) in text


def test_never_seen_is_not_said_where_the_split_leaks(run):
    write_split(run / "split.csv", {"images/000_0.png": {"split": "test"}})
    assert "seen in training" not in page(read(run))
    write_split(run / "split.csv", {case: {"group": case} for case, _, _ in allocated()})
    assert "not seen in training (whether their patients were is unknown)" in page(read(run))


def test_a_tuned_evaluation_is_said_to_be_so_and_one_of_other_weights_is_no_verdict(run):
    place = run / "evaluate" / "test" / "test.json"
    change_json(place, threshold=0.4)
    assert "At the masks&#x27; own size, tuned on the validation cases: 0.9" in page(read(run))
    change_json(place, checkpoint="/elsewhere/checkpoints/last.ckpt")
    assert "At the masks&#x27; own size" not in page(read(run)).split("</header>")[0]


def test_the_headline_is_the_figure_and_the_result_that_are_asked_for(made):
    one = read(made / "one", metric="hd95", source="evaluate/test")
    assert one.headline.figure == (3.25, 2.5, 4.125)
    assert "test hd95 3.2500 (95 % 2.5000 to 4.1250)" in page(one)
    two = read(made / "two", metric="dice/cytoplasm")
    held = json.loads((made / "two" / "test.json").read_text())["classes"]["cytoplasm"]["dice"]
    assert two.headline.figure.value == held["value"]


def test_what_is_asked_for_and_not_there_is_refused_with_what_there_is(made):
    with pytest.raises(ValueError, match="metric=dise: test does not have it \\(nearest: dice\\)"):
        read(made / "one", metric="dise")
    with pytest.raises(ValueError, match="metric=dice/x: test does not have it"):
        read(made / "one", metric="dice/x")
    with pytest.raises(FileNotFoundError, match=r"source=evaluate/lgg.*it has test, evaluate/test"):
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
    svg = re.search(r'<svg class="curves histogram".*?</svg>', text).group()
    bars = [int(n) for n in re.findall(r": (\d+)</title></rect>", svg)]
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
    held = json.loads((made / "two" / "test.json").read_text())["classes"]
    row = row_of(parsed(text), "nucleus")
    assert f"{held['nucleus']['dice']['value']:.4f}" in row[1]
    assert "test, at 64x64, by class" in text


def test_curves_are_there_with_the_kept_epoch_and_stages(run):
    text = (
        (run / "metrics.csv")
        .read_text()
        .replace("4,main", "4,second")
        .replace("5,main", "5,second")
    )
    (run / "metrics.csv").write_text(text.replace("6,main", "6,second"))
    shown = page(read(run))
    assert shown.count("<polyline") == 5
    assert shown.count("best epoch, 4") == 3
    assert shown.count("a stage begins") == 3
    assert "learning rate, in 1e-3" in shown
    for points in re.findall(r'points="([^"]*)"', shown):
        assert len(points.split()) == 6
        assert all(0 <= float(v) <= 380 for pair in points.split() for v in pair.split(","))


def test_a_single_epoch_and_gaps_are_drawn(run):
    (run / "metrics.csv").write_text("epoch,stage,lr,train/loss,val/loss\n1,main,0.1,nan,0.5\n2,m")
    shown = page(read(run))
    assert shown.count("<circle class=") == 2
    assert "<polyline" not in shown


def test_pictures_stand_in_the_page_and_nothing_is_fetched(made):
    reader = parsed(page(read(made / "one")))
    assert len(reader.fetched) == 5  # worst, median, best, the last of the validation, one curve
    assert all(source.startswith("data:image/png;base64,") for source in reader.fetched)
    assert "validation, after epoch 6" in reader.text
    assert not {"link", "iframe", "object", "base", "form"} & set(reader.tags)
    style = page(read(made / "one")).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "img-src data:" in page(read(made / "one"))


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
    text = page(read(run))
    head = text.split("</header>")[0]
    assert "This run is not finished: failed." in head
    assert "polyps-unet-dice: failed (the loss is nan). No test figures." in head
    assert "the best validation Dice was 0.9000, in epoch 4" in head
    assert "This run is not finished" not in page(read(run.parent / "run")).split("</header>")[1]


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
        "warnings": [{"kind": "small", "text": "4 tiny <masks>"}],
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
    sound = {"near_duplicates": [], "warnings": [], "errors": []}
    (place / "audit.json").write_text(json.dumps(sound))
    assert read(run).evidence.audit == sound
    (place / "audit.json").write_text(json.dumps(sound | changes))
    assert read(run).evidence.audit is None
    assert "No audit of these files was found" in page(read(run))


def test_a_picture_too_large_for_a_page_is_left_out_and_told(run, monkeypatch):
    monkeypatch.setattr("seg.report.run.pictures.LARGEST", len(PNG) - 1)
    text = page(read(run))
    assert "<img" not in text
    assert "too large for a page" in text


def test_both_files_are_written_whole_and_nothing_else(made, tmp_path):
    folder = tmp_path / "new" / "folder"
    write(read(made / "one"), folder)
    assert {f.name for f in folder.iterdir()} == {"report.html", "model_card.md"}
    assert (folder / "report.html").read_text() == page(read(made / "one"))


def test_the_console_says_verdict_and_caveats_in_a_few_lines(made, run, tmp_path):
    write_split(run / "split.csv", {case: {"group": case} for case, _, _ in allocated()})
    change_json(run / "run.json", status="failed", error="[red]boom " + "x" * 300)
    console = Console(file=io.StringIO(), width=80)
    show(read(run), tmp_path, console)
    lines = console.file.getvalue().splitlines()
    assert "[red]boom" in lines[0]
    assert lines[1].startswith("! not finished: The run failed")
    assert all(len(line) <= 80 for line in lines[1:-1])
    assert lines[-1] == f"{tmp_path}: report.html, model_card.md"
    assert len(lines) < 20
