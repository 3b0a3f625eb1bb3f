"""The model card: valid Markdown under a valid header, only what the run tells, no names."""

import json
import re

import pytest
import yaml
from markdown_it import MarkdownIt

from seg.report.run import card, read
from tests.report.run.folders import allocated, change_config, change_json, write_split

SECTIONS = [
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data",
    "Quantitative analyses", "Ethical considerations", "Caveats and recommendations", "How to use",
]  # fmt: skip
EVIL = "a|b <script>x</script> *bold* [l](http://x) `code` # _u_"


def split_header(text):
    _, header, body = text.split("---\n", 2)
    return yaml.safe_load(header), header, body


def headings(tokens, tag):
    return [tokens[i + 1].content for i, t in enumerate(tokens) if t.tag == tag and t.nesting == 1]


def tokens_of(body):
    return MarkdownIt("commonmark").enable("table").parse(body)


def tables(tokens):
    """Every table as rows of the text of its cells."""
    rows = []
    for i, token in enumerate(tokens):
        if token.type == "table_open":
            rows.append([])
        elif token.type == "tr_open":
            rows[-1].append([])
        elif token.type in ("td_open", "th_open"):
            rows[-1][-1].append("".join(child.content for child in tokens[i + 1].children))
    return rows


def test_the_sections_of_a_model_card_are_there_in_order(made):
    _, _, body = split_header(card(read(made / "one")))
    tokens = tokens_of(body)
    assert headings(tokens, "h1") == ["polyps-unet-dice"]
    assert headings(tokens, "h2") == SECTIONS


def test_the_header_is_yaml_with_the_figure_and_leaves_the_licence_to_the_author(made):
    header, raw, _ = split_header(card(read(made / "one")))
    dice = json.loads((made / "one" / "test.json").read_text())["metrics"]["dice"]
    (entry,) = header["model-index"]
    (result,) = entry["results"]
    assert result["metrics"][0]["value"] == pytest.approx(dice["value"], abs=1e-6)
    assert result["dataset"]["name"] == "polyps"  # of the folder; the run has no dataset.name
    assert "license" not in header
    assert raw.startswith("# license: not stated")


def test_the_figures_are_those_of_test_json_with_intervals_by_class(made):
    _, _, body = split_header(card(read(made / "two")))
    content = json.loads((made / "two" / "test.json").read_text())
    head, *rows = next(t for t in tables(tokens_of(body)) if t[0][0] == "figure")
    assert head == ["figure", "all classes", "nucleus", "cytoplasm"]
    columns = [content["metrics"], content["classes"]["nucleus"], content["classes"]["cytoplasm"]]
    assert {"dice", "dice_group", "recall"} <= {row[0] for row in rows}
    for name, *cells in rows:
        for cell, figures in zip(cells, columns, strict=True):
            numbers = [float(n) for n in re.findall(r"\d\.\d+", cell)]
            expected = [figures[name][key] for key in ("value", "low", "high")]
            assert numbers == pytest.approx(expected, abs=0.50001e-4)


def test_evaluations_have_tables_of_their_own(made):
    _, _, body = split_header(card(read(made / "one")))
    tokens = tokens_of(body)
    titles = headings(tokens, "h3")
    assert [title.split(",")[0] for title in titles] == ["test", "evaluate/test"]
    assert len([table for table in tables(tokens) if table[0][0] == "figure"]) == 2
    assert "not to be compared" in body


def test_names_cannot_break_the_markdown(run):
    change_config(run, name=EVIL, dataset__root=f"/data/{EVIL.replace('/', '')}")
    change_config(run, dataset__classes={EVIL: 1})
    change_json(run / "run.json", name=EVIL)
    header, _, body = split_header(card(read(run)))
    tokens = tokens_of(body)
    assert header["model-index"][0]["name"] == EVIL
    assert headings(tokens, "h2") == SECTIONS
    assert not any(t.type in ("html_block", "html_inline", "link_open") for t in tokens)
    inline = [child for t in tokens for child in t.children or ()]
    assert not any(c.type in ("html_inline", "link_open", "image") for c in inline)
    for table in tables(tokens):
        assert len({len(row) for row in table}) == 1
    (row,) = [r for t in tables(tokens) for r in t if r[0] == "classes"]
    assert row[1] == EVIL


def test_what_the_run_does_not_tell_is_not_stated(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    header, _, body = split_header(card(read(tmp_path)))
    assert "model-index" not in header
    rows = {r[0]: r[1] for t in tables(tokens_of(body)) for r in t}
    for name in ("architecture", "input", "output", "licence", "seed", "git commit", "classes",
                 "train split", "test split"):  # fmt: skip
        assert rows[name] == "not stated", name
    for part in ("model", "loss", "optimizer"):
        assert f"- {part}: not stated" in body
    assert not any(table[0][0] == "figure" for table in tables(tokens_of(body)))


def test_parts_are_told_as_calls_and_none_is_not_unknown(made):
    text = card(read(made / "one"))
    assert "- model: UNet(width=8)" in text
    assert "- optimizer: AdamW(lr=0.001)" in text
    assert "- augmentation: none" in text
    assert "- scheduler: not stated" in text


def numbers_of_output(text):
    """The numbers in the row of the network's output."""
    rows = [r for t in tables(tokens_of(split_header(text)[2])) for r in t]
    return re.findall(r"\d\.\d+", next(row[1] for row in rows if row[0] == "output"))


def test_the_threshold_is_the_one_that_the_checkpoint_was_tuned_to(run):
    assert numbers_of_output(card(read(run))) == ["0.5"]
    change_json(run / "evaluate" / "test" / "test.json", threshold=0.35)
    assert numbers_of_output(card(read(run))) == ["0.35", "0.35", "0.5"]  # instead of 0.5


def test_neither_cases_nor_groups_nor_the_machine_are_named(run):
    write_split(run / "split.csv", {"images/000_0.png": {"split": "test"}})
    change_config(
        run, init_from="/home/someone/weights", dataset__split__file="/home/someone/s.csv"
    )
    one = read(run)
    assert {"groups parted", "other weights"} <= {c.kind for c in one.caveats}
    text = card(one)
    for secret in ("secret-host", "/home/someone", "/data/", "patient 0", str(run)):
        assert secret not in text
    assert not any(case in text for case, _, _ in allocated())


def test_caveats_commands_and_the_warning_on_medical_use_are_in_it(run):
    write_split(run / "split.csv", {case: {"group": case} for case, _, _ in allocated()})
    text = card(read(run))
    assert "- **groups unknown**: " in text
    assert "- patients or videos: unknown" in text
    assert "**Not a medical device.**" in text
    assert "python -m seg.predict run=RUN input=IMAGES output=MASKS" in text
    assert "python -m seg.export run=RUN format=onnx" in text
