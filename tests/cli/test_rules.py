"""One table of allowed values for each command."""

import math
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from seg.cli import rules
from seg.cli.compose import CONF_DIR, compose, plain
from seg.cli.rule import (
    Rule,
    as_typed,
    count,
    number,
    one_of,
    or_list,
    or_null,
    positive,
    share,
    text,
)
from seg.cli.rules import MUST_EXIST, RULES

# What each command cannot do without.
REQUIRED = {
    "evaluate": ["run=."], "predict": ["run=.", "input=x", "output=y"], "export": ["run=."],
    "compare": ["runs=x"], "demo": ["run=."],
}  # fmt: skip


def _plain_keys(node: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for key, value in node.items():
        keys += _plain_keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return keys


def test_every_command_has_a_table() -> None:
    commands = {file.stem for file in CONF_DIR.glob("*.yaml")}
    assert len(commands) == 7
    assert commands == RULES.keys() == MUST_EXIST.keys()


@pytest.mark.parametrize("command", RULES)
def test_every_key_of_a_commands_own_file_has_a_rule(command: str) -> None:
    known = OmegaConf.load(CONF_DIR / f"{command}.yaml")
    del known["hydra"], known["defaults"]
    keys = _plain_keys(OmegaConf.to_container(known))
    assert len(keys) >= 5
    assert set(keys) - RULES[command].keys() - set(MUST_EXIST[command]) == set()


@pytest.mark.parametrize("command", RULES)
def test_every_rule_has_a_key(command: str) -> None:
    choices = {"train": ["loss=dice", "loss=bce", "dataset=folder", "dataset=kvasir",
                         "scheduler=poly", "model=lite_unet"],
               "prepare": ["dataset=folder", "dataset=kvasir"],
               "evaluate": ["protocol=robustness"]}.get(command, [])  # fmt: skip
    keys: set[str] = set()
    for more in [[], *([choice] for choice in choices)]:
        root = ["dataset.root=x"] if "dataset=folder" in more else []
        cfg = compose([*REQUIRED.get(command, []), *more, *root], config_name=command)
        content = plain(cfg)
        keys |= {*content, *_plain_keys(content)}
    # no file of conf/ sets these; they are Lightning's, and one value of each is sound
    optional = {"trainer.check_val_every_n_epoch", "trainer.val_check_interval",
                "trainer.limit_val_batches", "trainer.limit_test_batches",
                    "trainer.gradient_clip_algorithm"}  # fmt: skip
    assert RULES[command].keys() - keys - optional == set()


@pytest.mark.parametrize("command", RULES)
def test_a_rule_allows_the_default(command: str) -> None:
    content = plain(compose(REQUIRED.get(command, []), config_name=command))
    for key, rule in RULES[command].items():
        value = OmegaConf.select(OmegaConf.create(content), key, default=...)
        if value is not ...:
            value = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            assert rule.allows(value), key


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        (count(1), [1, 7], [0, -1, 1.0, 2.5, True, "1", None, [1], NAN]),
        (count(0), [0], [-1, False]),
        (number("a number"), [0, -2, 1.5], [NAN, INF, True, "1", None]),
        (positive(), [1e-9, 3], [0, -1, NAN, INF]),
        (share(), [0, 0.5], [1, -0.1, 1.5]),
        (one_of(1, "a", None, True), [1, "a", None, True], [1.0, False, "b", 0, "null"]),
        (text("a text"), ["a", "a\nb", " "], ["", None, 3, ["a"]]),
        (text("digits", r"\d+"), ["12"], ["12a", "a12", ""]),
        (rules.path(), ["x/y", "ü z"], ["", None, Path("x")]),
        (or_null(count(1)), [None, 1], [0, "null"]),
        (or_list(count(1)), [1, [1, 2]], [0, [], [1, 0], None]),
        (or_list(count(1), least=0), [1, []], [[0]]),
    ],
)
def test_a_rule_allows_what_it_says(rule: Rule, allowed: list, refused: list) -> None:
    assert [value for value in allowed if not rule.allows(value)] == []
    assert [value for value in refused if rule.allows(value)] == []


@pytest.mark.parametrize(
    ("key", "allowed", "refused"),
    [
        ("seed", [0, 2**32 - 1], [2**32, -1]),
        ("name", ["a-b"], ["../a", ""]),
        ("dataset.image_size", [256, [64, 48]], [0, [], [1], [1, 2, 3], [0, 1], 1.5, "a"]),
        ("dataset.window", [None, "percentile", [-100, 200.5]], [[5, 1], [1], "x", [1, "a"], 3]),
        ("dataset.split.val", [0.15, 0.999, 1, 20, 20.0], [0, -1, 1.5, NAN, None]),
        ("dataset.split.test", [0, 0.0, 0.5, 3], [1.5, -0.1, True]),
        ("dataset.num_workers", ["auto", 0, 4], [-1, None, "all"]),
        ("dataset.mirrors", [[], ["https://x"]], ["https://x", ["ftp://x"], None]),
        ("trainer.devices", ["auto", -1, 2, [0, 1]], [0, -2, "all", 1.5]),
        ("trainer.precision", [32, "32", "bf16-mixed", "auto"], [8, None, "fp16"]),
        ("trainer.val_check_interval", [1, 1.0], [0.5, 2]),
        ("checkpoints", [{"top_k": 1, "every_steps": 1, "weights": 1}], [{"top_k": 1}, None]),
    ],
)
def test_the_rules_of_training(key: str, allowed: list, refused: list) -> None:
    test_a_rule_allows_what_it_says(RULES["train"][key], allowed, refused)


@pytest.mark.parametrize(
    ("key", "allowed", "refused"),
    [
        ("run", ["x", ["x", "y"]], ["", [], [3]]),
        ("values", ["index", 255, "palette"], ["255", True, 1]),
        ("tile", [None, "auto", 16, 512], [15, 0, "none", 16.5]),
        ("scale", [None, 0.5, 8], [0, 8.1, "auto"]),
        ("overlap", [0, 0.75], [0.8, -0.1]),
        ("tta", [True, False, "flips", "d4"], [1, "all", None]),
        ("tta_check", [True, False], [1, "flips", None]),
        ("axis", [None, 0, 1, 2], [3, -1, "z", True]),
        ("threshold", [None, 0.5], [0, 1]),
    ],
)
def test_the_rules_of_prediction(key: str, allowed: list, refused: list) -> None:
    test_a_rule_allows_what_it_says(RULES["predict"][key], allowed, refused)


def test_what_is_wanted_is_worded_as_people_type_it() -> None:
    assert one_of(None, True, 255, "a").wanted == "null, true, 255 or a"
    assert count(2).wanted.endswith("2")
    assert or_null(count(2)).wanted.startswith("null")
    assert [as_typed(value) for value in (None, True, False, 1, "a")] == [
        "null", "true", "false", 1, "a",
    ]  # fmt: skip
