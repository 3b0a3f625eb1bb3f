"""The templates' environment and macros: what is escaped, what is refused, what sorts how."""

import math
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError
from markdown_it import MarkdownIt

from seg.report import pages

EVIL = "<script>alert(1)</script>|&\"'`*_[x](http://y)#~\\"


class Reader(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def html(source: str, **context) -> Reader:
    """A template that uses the macros, read."""
    names = "section, short, table, cell, name, value, figure, bar, badge, facts, legend, command"
    template = pages.HTML.from_string(f'{{% from "macros.html" import {names} %}}{source}')
    reader = Reader()
    reader.feed(template.render(**context))
    return reader


@pytest.mark.parametrize(
    "source",
    [
        "{{ evil }}",
        "{{ short(evil, 99) }}",
        "{{ short(evil, 9) }}",
        "{{ cell(evil, key=evil, kind=evil) }}",
        "{{ name(evil, 9) }}",
        "{{ value(evil, 99) }}",
        "{{ figure(none, missing=evil) }}",
        "{{ badge(evil, evil) }}",
        "{{ facts({evil: evil}) }}",
        "{{ legend([(evil, evil)]) }}",
        "{{ command(evil, evil) }}",
        "{% call table([evil], caption=evil) %}{{ cell(evil) }}{% endcall %}",
        "{% call section(evil, evil) %}{{ evil }}{% endcall %}",
    ],
)
def test_nothing_breaks_out_of_a_macro(source):
    read = html(source, evil=EVIL)
    assert "script" not in [tag for tag, _ in read.tags]
    allowed = {"class", "title", "data-key", "scope", "type"}
    assert {key for _, attributes in read.tags for key in attributes} <= allowed
    assert "<script>" in read.text or "…" in read.text


def test_a_value_that_the_page_was_not_given_is_an_error():
    with pytest.raises(UndefinedError, match="nowhere"):
        html("{{ nowhere }}")


def test_text_that_is_too_long_keeps_its_whole_in_the_title():
    read = html("{{ short(text, 5) }}", text="abcdefgh")
    assert read.tags == [("span", {"title": "abcdefgh"})]
    assert read.text.strip() == "ab…gh"


def test_a_column_of_numbers_sorts_by_value_with_what_is_missing_below_all():
    source = "{% for v in values %}{{ figure(v) }}{% endfor %}"
    read = html(source, values=[0.25, None, math.nan])
    assert [a["data-key"] for _, a in read.tags if "data-key" in a] == [
        "0.25", "-Infinity", "-Infinity",
    ]  # fmt: skip
    assert read.text.split() == ["0.2500", "-"]


def test_a_figure_has_its_interval_where_there_is_one():
    assert html("{{ figure(0.5, 0.25, 0.75) }}").text.split() == ["0.50000.2500", "to", "0.7500"]
    assert html("{{ figure(0.5, low, 0.75) }}", low=math.nan).text.split() == ["0.5000"]


def test_a_bar_runs_from_end_to_end_of_its_scale():
    read = html("{{ bar(0.5, 0.0, 1.0, 0.0, 1.0) }}")
    (line,) = [a for tag, a in read.tags if tag == "line"]
    (dot,) = [a for tag, a in read.tags if tag == "circle"]
    assert (line["x1"], line["x2"], dot["cx"]) == ("4.0", "116.0", "60.0")
    assert html("{{ bar(0.5, low, 1.0, 0.0, 1.0) }}", low=math.nan).tags == []


def test_columns_of_numbers_have_their_head_at_the_right():
    read = html('{% call table(["case", "dice"], numbers=["dice"]) %}{% endcall %}')
    assert [a.get("class") for tag, a in read.tags if tag == "th"] == [None, "number"]


def test_markdown_shows_every_value_as_it_is_but_what_is_said_to_be_verbatim():
    template = pages.MARKDOWN.from_string("{{ evil }}\n\n{{ '**b**' | verbatim }}")
    tokens = MarkdownIt("commonmark").parse(template.render(evil=EVIL))
    first, second = (t for t in tokens if t.type == "inline")
    assert "".join(child.content for child in first.children) == EVIL
    assert {child.type for child in first.children} <= {"text", "text_special"}
    assert "strong_open" in [child.type for child in second.children]
