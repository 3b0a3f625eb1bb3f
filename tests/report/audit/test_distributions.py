"""The distributions: only what varies is drawn."""

from dataclasses import replace
from pathlib import Path

import pytest

from seg.report.audit import distributions

from .sets import audited, emptied, facts_of


def test_only_panels_that_show_a_spread_are_drawn(tmp_path: Path) -> None:
    path = tmp_path / "new" / "d.png"
    facts = emptied(facts_of(12), 5)
    facts[0].pair = replace(facts[0].pair, group="g5")
    everything = distributions(audited(facts), path)
    assert everything == [
        "image sizes",
        "foreground of the masks",
        "classes",
        "intensities",
        "groups",
        "objects",
    ]
    alike = facts_of(12, size=(64, 64), foreground=0.25, components=1)
    assert distributions(audited(alike), path) == ["classes", "intensities"]
    assert path.is_file()


@pytest.mark.parametrize("shares", [[0, 0.2], [0, 1e-6, 0.9], [0.3, 0.3, 0], [1, 0.5]])
def test_every_spread_of_foreground_is_drawn(tmp_path: Path, shares: list[float]) -> None:
    facts = facts_of(len(shares))
    for f, share in zip(facts, shares, strict=True):
        f.foreground = share
    assert "foreground of the masks" in distributions(audited(facts), tmp_path / "d.png")
