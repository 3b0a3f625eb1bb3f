"""The figure of cases: a column for each network, in every format."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from seg.report import case_figure
from seg.report.case_figure import ShownCase


def _case(name: str, shape: tuple[int, ...], networks: int) -> ShownCase:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, (networks + 1, *shape), dtype=np.uint8)
    image = rng.integers(0, 255, (*shape[-2:], 3), dtype=np.uint8)
    return ShownCase(name, image, masks[0], list(masks[1:]))


@pytest.mark.parametrize("shape", [(20, 24), (2, 20, 24)])
def test_every_network_has_a_column_with_the_dice_of_each_case(
    shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr(case_figure.figures, "save", lambda figure, *_: kept.append(figure))
    cases = [_case("a", shape, 3), _case("b", shape, 3)]
    cases[1] = ShownCase("b", cases[1].image, cases[1].reference, [cases[1].reference] * 3)
    classes = ["organ", "$x_"][: 1 if len(shape) == 2 else 2]
    networks = ["unet", "a long name " * 9, "$lr=_"]
    case_figure.draw(cases, networks, tmp_path / "cases.png", class_names=classes)
    titles = [axis.get_title() for axis in kept[0].axes]
    assert len(titles) == 2 * 5
    assert titles[0] == "a"
    assert titles[2].startswith("unet\n")
    assert titles[7:] == ["Dice 1.000"] * 3
    labels = [text.get_text() for text in kept[0].legends[0].get_texts()]
    assert labels[: len(classes)] == classes
    assert len(labels) == len(classes) + 1


def test_the_figure_is_written_in_each_format(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cases.png"
    case_figure.draw([_case("a", (9, 9), 1)], ["x"], path, class_names=["o"], also=["pdf", "svg"])
    assert {p.name for p in path.parent.iterdir()} == {"cases.png", "cases.pdf", "cases.svg"}
