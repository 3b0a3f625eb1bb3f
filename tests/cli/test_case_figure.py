"""Which cases a figure shows, and the figure itself from two trained networks."""

from pathlib import Path

import numpy as np
import pytest

from seg.cli.case_figure import choose
from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.compare import compare
from seg.comparison.configurations import ComparedRun, read_runs
from seg.train import train
from tests.comparison.written import config_of, counts_of, reference, write_run

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture
def networks(tmp_path: Path) -> list[list[ComparedRun]]:
    """Two networks on 20 cases, the second a little better on each."""
    quality, runs = np.random.default_rng(0).permutation(np.linspace(0.2, 0.8, 20)), []
    for i in range(2):
        counts = counts_of(reference(20), quality + i / 10)
        config = config_of(name=str(i), seed=0, **{"optimizer.lr": i + 1})
        runs.append(read_runs([write_run(tmp_path / str(i), counts=counts, config=config)]))
    return runs


def test_cases_are_spread_from_the_lowest_to_the_highest_mean(
    networks: list[list[ComparedRun]],
) -> None:
    tables = [runs[0].table for runs in networks]
    dice = np.mean([table.values["dice"][:, 0] for table in tables], axis=0)
    ordered = [tables[0].cases[i] for i in np.argsort(dice)]
    assert choose(networks, 1) == ordered[:1]
    three = choose(networks, 3)
    assert [three[0], three[-1]] == [ordered[0], ordered[-1]]
    assert three[1] in ordered[8:12]
    assert choose(networks, 99) == ordered


def test_named_cases_are_shown_in_their_order_and_others_are_refused(
    networks: list[list[ComparedRun]],
) -> None:
    names = list(networks[0][0].table.cases[3:1:-1])
    assert choose(networks, names) == names
    with pytest.raises(ValueError, match="cases=nowhere"):
        choose(networks, ["nowhere"])


@pytest.mark.parametrize("line", ["cases=2", "root=x", "trust=[y]"])
def test_keys_of_the_figure_do_nothing_without_it(line: str) -> None:
    with pytest.raises(ConfigError, match="figure=cases"):
        check(compose(["runs=x", line], config_name="compare"), command="compare")


def test_two_trained_networks_are_shown_side_by_side(tmp_path: Path, tiny: list[str]) -> None:
    for loss in ("bce", "dice"):
        options = [*tiny, "trainer.max_epochs=1", f"loss={loss}", f"output_dir='{tmp_path}'"]
        train(compose(options))
    lines = [f"runs={tmp_path}", "figure=cases", "cases=2", "figures=[pdf]", f"output={tmp_path}/o"]
    cfg = compose(lines, config_name="compare")
    check(cfg, command="compare")
    compare(cfg)
    assert {p.suffix for p in (tmp_path / "o").glob("cases.*")} == {".png", ".pdf"}
    assert not list(tmp_path.glob("*/*/evaluate"))
