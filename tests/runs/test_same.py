"""What may differ between a run and the command that goes on with it, and what may not."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch

from seg.runs.same import differences, is_longer, require_fitting, require_same, spanned

CONFIG = {
    "seed": 1,
    "output_dir": "a",
    "schedule_epochs": None,
    "checkpoints": {"top_k": 1},
    "scheduler": {"_target_": "seg.training.schedules.cosine"},
    "dataset": {"root": "/a", "image_size": 64, "classes": {"polyp": 255}},
    "trainer": {"max_epochs": 4},
    "stages": {},
}


def changed(**values) -> dict:
    """CONFIG with dotted keys (`__` for the dot) set."""
    config = deepcopy(CONFIG)
    for key, value in values.items():
        *path, last = key.split("__")
        node = config
        for part in path:
            node = node[part]
        node[last] = value
    return config


def test_where_and_how_a_run_is_started_is_no_difference() -> None:
    now = changed(output_dir="b", dataset__root="/b", checkpoints__top_k=3)
    assert differences(CONFIG, now) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 2}, "seed: 1 -> 2"),
        ({"dataset__image_size": 32}, "dataset.image_size: 64 -> 32"),
        ({"dataset__classes": {"polyp": 255, "tool": 9}}, "dataset.classes.tool: None -> 9"),
        ({"trainer__max_epochs": 3}, "fewer epochs"),
        ({"trainer__max_epochs": 8, "seed": 2}, "seed: 1 -> 2"),
        ({"trainer__max_epochs": 8, "schedule_epochs": 8}, "schedule_epochs: 4 -> 8"),
        ({"trainer__max_epochs": 8, "stages": {"dice": {}}}, "start anew"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_another_run_is_refused_with_the_difference(change: dict, said: str) -> None:
    with pytest.raises(ValueError, match="resume=RUN: .*") as caught:
        require_same(CONFIG, changed(**change), "resume=RUN", may_be_longer=True)
    assert said in str(caught.value)


def test_more_epochs_are_a_difference_unless_the_run_itself_is_named() -> None:
    longer = changed(trainer__max_epochs=8)
    require_same(CONFIG, longer, "resume=RUN", may_be_longer=True)
    with pytest.raises(ValueError, match="trainer.max_epochs: 4 -> 8"):
        require_same(CONFIG, longer, "JOB")
    assert is_longer(CONFIG, longer)
    assert not is_longer(longer, longer)


def test_a_schedule_keeps_the_epochs_that_it_was_made_for() -> None:
    first = changed(trainer__max_epochs=8)
    assert spanned(CONFIG, CONFIG) is None
    assert spanned(CONFIG, first) == 4
    lengthened = first | {"schedule_epochs": 4}
    assert differences(lengthened, first) == []  # the command that goes on with it need not say so
    assert spanned(lengthened, first) == 4
    assert spanned(lengthened, changed(trainer__max_epochs=20)) == 4


STATE = {"model.a": torch.zeros(2, 3)}
CARRIED = {"classes": ["polyp"], "data": "f" * 64, "position": {"epoch": 1, "batch": 0}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"classes": ["polyp", "tool"]}, "its classes are polyp, not polyp, tool"),
        ({"data": "e" * 64}, "the data are not those of this run"),
        ({"state": {"model.a": torch.zeros(4, 3)}}, r"model\.a: \[2, 3\] -> \[4, 3\]"),
        ({"state": {"model.b": torch.zeros(2, 3)}}, r"model\.a: \[2, 3\] -> None"),
    ],
    ids=["classes", "data", "shape", "name"],
)
def test_a_checkpoint_of_something_else_is_refused_with_the_difference(
    change: dict, said: str
) -> None:
    content = {"seg": CARRIED, "state_dict": STATE}
    given = {"state": STATE, "classes": ["polyp"], "data": "f" * 64}
    require_fitting(content, Path("last.ckpt"), **given)
    with pytest.raises(ValueError, match=rf"^last\.ckpt: .*{said}"):
        require_fitting(content, Path("last.ckpt"), **(given | change))
