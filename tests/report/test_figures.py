"""Figures as files, for the screen and for papers."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from seg.report import figures


def _figure() -> Figure:
    figure = Figure(figsize=(3, 2), dpi=100)
    figure.subplots().set_title("Dice")
    return figure


def test_a_figure_is_one_png_unless_more_is_wanted(tmp_path: Path) -> None:
    figures.save(_figure(), tmp_path / "new" / "curves.png")
    (path,) = (tmp_path / "new").iterdir()
    assert Image.open(path).size == (300, 200)


def test_each_format_lies_beside_the_png_which_stays_as_it_is(tmp_path: Path) -> None:
    figures.save(_figure(), tmp_path / "alone.png")
    figures.save(_figure(), tmp_path / "curves.png", ["pdf", "svg", "png"])
    names = {path.name for path in tmp_path.glob("curves*")}
    assert names == {"curves.png", "curves.pdf", "curves.svg", "curves_300dpi.png"}
    assert (tmp_path / "curves.png").read_bytes() == (tmp_path / "alone.png").read_bytes()
    printed = Image.open(tmp_path / "curves_300dpi.png")
    assert printed.size == (900, 600)
    assert printed.info["dpi"][0] == pytest.approx(300, abs=1)
    pdf = (tmp_path / "curves.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Type3" not in pdf  # journals refuse such fonts
    assert ">Dice</text>" in (tmp_path / "curves.svg").read_text()


def test_the_same_figure_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        figures.save(_figure(), tmp_path / f"{name}.png", ["pdf", "svg"])
    for form in ("pdf", "svg"):
        assert (tmp_path / f"a.{form}").read_bytes() == (tmp_path / f"b.{form}").read_bytes()


@pytest.mark.parametrize(
    ("value", "expected"), [(None, ()), ("pdf", ("pdf",)), (["pdf", "png"], ("pdf", "png"))]
)
def test_the_key_is_one_format_or_several(value: object, expected: tuple[str, ...]) -> None:
    assert figures.formats(value) == expected
