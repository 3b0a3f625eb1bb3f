"""Charts as SVG: the page's colours, escaped names, the same text every time."""

import re
from xml.etree import ElementTree

from seg.report import charts

EVIL = "<script>alert(1)</script> $x_{ \"'&"
SVG = "{http://www.w3.org/2000/svg}"


def chart(draw, **options):
    options = {"label": "a chart", "width": 380, "height": 240} | options
    return str(charts.svg(draw, **options))


def parsed(text):
    """The element; matplotlib links its own definitions by xlink:href, known to HTML by itself."""
    return ElementTree.fromstring(
        text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '
                     'xmlns:xlink="http://www.w3.org/1999/xlink" ', 1)
    )  # fmt: skip


def test_colours_are_the_pages_variables_and_none_is_fixed():
    def draw(axes):
        for colour in (charts.INK, charts.ACCENT, charts.GOOD, charts.REST, *charts.SERIES):
            axes.plot([1, 2], [0, 1], color=colour)

    text = chart(draw)
    assert not re.search("#[0-9a-f]{6}[^0-9a-f]", text)
    used = set(re.findall(r"var\(--(\w+)\)", text))
    assert used == {"ink", "soft", "line", "accent", "good", "rest", *(f"s{i}" for i in range(8))}


def test_the_colours_are_those_of_the_style():
    style = charts.__file__.replace("charts.py", "templates/page.css")
    with open(style, encoding="utf-8") as handle:
        light = handle.read().split("@media")[0]
    for colour, name in charts.VARIABLES.items():
        assert f"--{name}: {colour};" in light


def test_labels_are_shown_at_the_pointer_and_names_are_escaped():
    def draw(axes):
        axes.plot([1, 2], [0, 1], label=EVIL)
        axes.plot([1, 2], [1, 0])
        axes.bar([1], [0.5], label=["half"])
        axes.set_xlabel(EVIL)

    root = parsed(chart(draw, label=EVIL))
    assert root.get("aria-label") == EVIL
    assert [title.text for title in root.iter(f"{SVG}title")] == ["half", EVIL]  # as drawn
    assert EVIL in [text.text for text in root.iter(f"{SVG}text")]
    assert not list(root.iter(f"{SVG}script"))


def test_a_chart_is_the_same_text_every_time_and_refers_to_nothing_outside():
    def draw(axes):
        axes.plot([1, 2], [0, 1], "o", color=charts.ACCENT)

    text = chart(draw)
    assert text == chart(draw)
    assert "<style" not in text
    ids = {f"#{name}" for name in re.findall(r'id="([^"]*)"', text)}
    targets = re.findall(r'href="([^"]*)"', text) + re.findall(r"url\(([^)]*)\)", text)
    assert targets
    assert set(targets) <= ids
