"""Keys of other tools are answered with the key of this one, which works as it is printed."""

import functools
import re
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser

from seg.cli import aliases
from seg.cli import review as reviewing
from seg.cli.compose import ConfigError, compose, plain
from seg.cli.signatures import walk

# where the key of an alias is a choice's
CHOICE = {"dataset.group": ("dataset=folder",), "model.encoder": ("model=lite_unet",)}
RUN = {"evaluate": ["run=."], "predict": ["run=.", "input=.", "output=x"]}
WRITE = re.compile(r"write (\S+)$")


def review(command: str, *lines: str) -> reviewing.Review:
    arguments = get_args_parser().parse_args(list(lines))
    arguments.config_name = command
    return reviewing.review(arguments, command=command)


def problem(command: str, line: str, *more: str) -> str:
    with pytest.raises(ConfigError) as caught:
        review(command, line, *more)
    (only,) = caught.value.problems
    return only


@pytest.mark.parametrize("command", list(aliases.NAMES))
def test_every_alias_leads_to_a_key_or_a_group_that_is_there(command: str) -> None:
    groups = [path.name for path in Path("conf").iterdir() if path.is_dir()]
    assert aliases.NAMES[command]
    keys_of = functools.cache(
        lambda choice: dict(walk(plain(compose(choice, config_name=command))))
    )
    for key in set(aliases.NAMES[command].values()):
        assert key in groups or key in keys_of(CHOICE.get(key, ())), key


@pytest.mark.parametrize(
    ("line", "write"),
    [
        ("epochs=50", "trainer.max_epochs=50"),
        ("max_epochs=50", "trainer.max_epochs=50"),
        ("training.epochs=50", "trainer.max_epochs=50"),
        ("lr=1e-4", "optimizer.lr=1e-4"),
        ("optimizer.learning_rate=1e-4", "optimizer.lr=1e-4"),
        ("root=/data/x", "dataset.root=/data/x"),
        ("data=/data/x", "dataset.root=/data/x"),
        ("data=lgg", "dataset=lgg"),
        ("batch_size=4", "dataset.batch_size=4"),
        ("imgsz=128", "dataset.image_size=128"),
        ("gpus=2", "trainer.devices=2"),
        ("weights=imagenet", "model=lite_unet"),
        ("device=cpu", "trainer.accelerator=cpu"),
        ("workers=2", "dataset.num_workers=2"),
        ("criterion=dice", "loss=dice"),
        ("patience=5", "early_stopping=5"),
    ],
)
def test_a_key_of_another_tool_is_answered_with_ours_which_then_works(
    line: str, write: str
) -> None:
    answered = problem("train", line)
    assert answered.startswith(f"{line.partition('=')[0]}: ")
    assert WRITE.search(answered)[1] == write
    assert review("train", WRITE.search(answered)[1]).problems == []


def test_a_file_that_describes_the_data_for_another_tool_is_answered_with_a_folder() -> None:
    assert "dataset=folder dataset.root=DIR" in problem("train", "data=coco8-seg.yaml")


def test_a_value_that_the_right_key_does_not_take_is_not_proposed() -> None:
    assert "trainer.accelerator=..." in problem("train", "device=0")
    assert "trainer.max_epochs=..." in problem("train", "epochs=0")


def test_an_alias_is_answered_beside_other_mistakes() -> None:
    with pytest.raises(ConfigError) as caught:
        review("train", "epochs=5", "loss=dise", "gpus=1")
    assert [p.partition(":")[0] for p in caught.value.problems] == ["loss=dise", "epochs", "gpus"]


@pytest.mark.parametrize(
    ("command", "line", "write"),
    [
        ("evaluate", "device=cpu", "trainer.accelerator=cpu"),
        ("predict", "batch=4", "batch_size=4"),
        ("predict", "source=a.png", "input=a.png"),
        ("predict", "model=mine", "run=mine"),
        ("predict", "model=unet", "run=unet"),  # which is a choice of a training
    ],
)
def test_other_commands_have_their_own_answers(command: str, line: str, write: str) -> None:
    assert problem(command, line, *RUN[command]).endswith(f"write {write}")


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_the_batch_size_of_a_training_is_taken_where_images_are_predicted(command: str) -> None:
    (cfg,) = review(command, "dataset.batch_size=3", *RUN[command]).configurations
    assert cfg.batch_size == 3
    with pytest.raises(ConfigError, match="batch_size=0"):
        review(command, "dataset.batch_size=0", *RUN[command])


def test_the_batch_size_of_another_data_set_is_taken_too() -> None:
    (cfg,) = review("evaluate", "run=.", "dataset=synthetic", "dataset.batch_size=3").configurations
    assert cfg.batch_size == 3


@pytest.mark.parametrize("more", [[], ["dataset=synthetic"]])
def test_what_an_evaluation_does_not_read_is_refused_with_the_reason(more: list[str]) -> None:
    assert "checkpoint" in problem("evaluate", "dataset.image_size=64", "run=.", *more)
    assert "worker" in problem("evaluate", "dataset.num_workers=2", "run=.", *more)


def test_a_network_without_encoder_says_which_have_one() -> None:
    for key in ("encoder", "weights"):
        assert "model=lite_unet" in problem("train", f"model.{key}=imagenet")


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--epochs", "trainer.max_epochs=..."),
        ("--batch-size=4", "dataset.batch_size=4"),
        ("--frobnicate", "key=value"),
    ],
)
def test_a_flag_is_answered_with_the_key(flag: str, words: str) -> None:
    answered = aliases.flag_problem("train", flag)
    assert answered.startswith(f"{flag}: ")
    assert words in answered
