"""--help shows each key with its comment and its choices, grouped."""

import argparse
import re
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser

from seg.cli import comments
from seg.cli import help as helping
from seg.cli.compose import CONF_DIR, ConfigError, compose, plain
from seg.cli.rules import RULES


def text(command: str, *lines: str) -> str:
    arguments: argparse.Namespace = get_args_parser().parse_args(list(lines))
    arguments.config_name = command
    return helping.text(arguments, command)


def line_of(shown: str, key: str) -> str:
    return [line for line in shown.splitlines() if line.startswith(f"  {key}=")][-1]


@pytest.mark.parametrize("command", list(RULES))
def test_every_key_of_a_command_is_there_with_its_meaning(command: str) -> None:
    shown = text(command)
    assert "$" not in shown
    for key, _ in helping.leaves(plain(compose([], config_name=command))):
        assert line_of(shown, key), key
    own = comments.of_text((CONF_DIR / f"{command}.yaml").read_text())
    for key in set(own) & set(plain(compose([], config_name=command))):
        words = own[key].split()[:3]
        assert " ".join(words) in " ".join(shown.split()), key


def test_a_key_has_its_comment_wherever_it_stands() -> None:
    shown = text("train", "dataset=kvasir", "model=smp", "loss=bce_dice", "dataset.root=x y")
    assert "3 RGB, 1 grey" in line_of(shown, "dataset.channels")  # of shared/loading
    assert "beside" in shown.partition("dataset.mask_dir=")[2].partition("\n")[2][:80] or (
        "beside" in line_of(shown, "dataset.mask_dir")
    )
    assert "pixels" in line_of(shown, "loss.terms.dice.smooth")  # of loss/dice.yaml
    assert "unetplusplus" in line_of(shown, "model.arch")
    assert "'x y'" in line_of(shown, "dataset.root")
    assert re.search(r"^dataset=kvasir: .*1000 polyps", shown, re.MULTILINE)
    assert "@package" not in shown
    assert re.search(r"^ +model=smp +.*lite_unet", shown, re.MULTILINE)


def test_the_values_that_may_be_chosen_are_named_once() -> None:
    shown = text("train")
    assert "(uniform or foreground)" in " ".join(shown.split())
    assert "(auto, unit" not in shown  # the comment names them all
    assert "auto, cpu, gpu, cuda or mps" in line_of(shown, "trainer.accelerator")


def test_a_required_key_and_a_folder_of_ones_own_are_shown(tmp_path: Path) -> None:
    assert line_of(text("train", "dataset=folder"), "dataset.root").split()[0] == "dataset.root=..."
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(
        "# My own.\n_target_: seg.losses.dice.DiceLoss\nsmooth: 2.0 # my comment\n"
    )
    shown = text("train", "--config-dir", str(tmp_path), "loss=mine")
    assert "loss=mine: My own." in shown
    assert "my comment" in line_of(shown, "loss.smooth")


def test_help_of_a_wrong_command_line_is_refused() -> None:
    with pytest.raises(ConfigError, match="epochs: "):
        text("train", "epochs=3")


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_lines_fit_a_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    limit = min(max(int(columns), 80), 120)
    keys = [line for line in text("train").splitlines() if not re.match(r"  \S+=\S{40,}", line)]
    assert max(map(len, keys)) <= limit + 1


def test_comments_are_those_at_the_end_of_a_line() -> None:
    found = comments.of_text(
        "# head\na: 1 # one\nb:\n  c: '#x' # two, # three\n  d: 2\n- e: 1 # no\n"
    )
    assert found == {"a": "one", "b": "", "b.c": "two, # three", "b.d": ""}
