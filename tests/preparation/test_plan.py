"""The rules of a plan, on facts and machines written by the test."""

from typing import Any

import numpy as np
import pytest
import yaml

from seg.data.pairs import Pair
from seg.preparation import plan
from seg.preparation.audit import CaseFacts
from seg.preparation.structure import structure_width
from seg.training.hardware import Hardware

CPU = plan.Machine(Hardware("cpu", "bf16-mixed", "cpu"), 16, 0.02)
GPU = plan.Machine(Hardware("gpu", "bf16-mixed", "gpu"), 32, 0.0005)


def facts(
    count: int = 100,
    size: tuple[int, int] = (256, 256),
    shares: tuple[float, ...] = (0.1,),
    kind: str = "PNG 8-bit RGB",
) -> list[CaseFacts]:
    made = []
    for i in range(count):
        fact = CaseFacts(Pair(f"images/{i}.png", (), (), f"{i}"))
        fact.size, fact.foreground, fact.kind = size, shares[i % len(shares)], kind
        made.append(fact)
    return made


def planned(machine: plan.Machine = CPU, minutes: float = 20, **changes: Any) -> dict:
    dataset = {
        "_target_": "seg.data.sources.folder.Folder", "root": "set", "image_dir": "images",
        "mask_dir": "masks", "image_suffix": "", "mask_suffix": "_seg", "group": r"(p\d+)",
        "axis": 2, "classes": None, "ignore_value": None, "window": None, "channels": 3,
        "mask_threshold": None, "overlap": False,
        "split": {"val": 0.1, "test": 0.2, "seed": 3, "file": None},
    }  # fmt: skip
    arguments = {
        "facts": facts(), "classes": None, "trained": 70, "structure": 40.0, "mirrored": False,
    } | changes  # fmt: skip
    text = plan.plan(
        arguments.pop("facts"), dataset=dataset, choice="folder", machine=machine, minutes=minutes,
        name="mine", **arguments,
    )  # fmt: skip
    return yaml.safe_load(text)


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert planned()["dataset"] == {
        "root": "set", "mask_suffix": "_seg", "group": r"(p\d+)",
        "split": {"val": 0.1, "test": 0.2, "seed": 3},
        "image_size": 256, "channels": 3, "batch_size": 8, "normalize": "auto",
    }  # fmt: skip


def test_epochs_fill_the_minutes() -> None:
    short, long = (planned(minutes=m)["trainer"]["max_epochs"] for m in (5, 10))
    size = planned(minutes=5)["dataset"]["image_size"]
    cost = CPU.seconds * plan.OVERHEAD * (size / plan.BASE) ** 2 * 70
    assert short == int(5 * 60 / (cost * plan.DEEPER))
    assert planned(minutes=1)["trainer"]["max_epochs"] == int(60 / cost)
    assert (
        long == pytest.approx(2 * short, abs=1)
        or planned(minutes=10)["dataset"]["image_size"] > size
    )


@pytest.mark.parametrize(
    ("minutes", "side"),
    [(1, 128), (30, 192), (600, 512)],
)
def test_a_larger_side_is_taken_as_soon_as_there_is_time(minutes: float, side: int) -> None:
    made = planned(minutes=minutes, facts=facts(size=(512, 512)), trained=200)
    assert made["dataset"]["image_size"] == side


def test_small_images_are_not_enlarged() -> None:
    assert planned(facts=facts(size=(70, 64)), minutes=500)["dataset"]["image_size"] == 64


def test_thin_structures_keep_their_pixels() -> None:
    """A vessel of 3 pixels in 480 needs 448 to be 2.5 pixels wide, whatever the time."""
    made = planned(facts=facts(size=(480, 480)), structure=3.0, minutes=1)
    assert made["dataset"]["image_size"] == 448


def test_long_images_keep_their_shape() -> None:
    height, width = planned(facts=facts(size=(200, 800)), minutes=1)["dataset"]["image_size"]
    assert width / height == pytest.approx(4, rel=0.3)
    assert height % 32 == width % 32 == 0
    defaults = planned(facts=facts(size=(200, 800)))["defaults"]
    assert {"override /augmentation": "flip_rotate_zoom"} in defaults


def test_classes_and_imbalance_choose_the_loss() -> None:
    assert {"override /loss": "bce_dice"} in planned()["defaults"]
    several = planned(classes={"a": 1, "b": 2})
    assert {"override /loss": "ce_dice"} in several["defaults"]
    assert several["dataset"]["classes"] == {"a": 1, "b": 2}
    assert "loss" not in several
    empty = planned(facts=facts(shares=(0.0, 0.0, 0.1)))
    assert empty["loss"]["terms"]["dice"]["pooled"] is True
    tiny = planned(facts=facts(shares=(0.001,)))
    assert tiny["loss"]["terms"]["dice"]["pooled"] is True


def test_classes_that_mirror_each_other_get_no_flips() -> None:
    for minutes in (1, 10):
        made = planned(minutes=minutes, classes={"left": 1, "right": 2}, mirrored=True)
        assert {"override /augmentation": "rotate_zoom"} in made["defaults"]


def test_grey_sets_are_trained_on_one_channel() -> None:
    assert planned(facts=facts(kind="PNG 8-bit grey"))["dataset"]["channels"] == 1
    mixed = [*facts(3, kind="PNG 8-bit grey"), *facts(3)]
    assert planned(facts=mixed)["dataset"]["channels"] == 3


def test_a_gpu_gets_a_wider_network_and_larger_batches() -> None:
    made = planned(GPU)
    assert made["model"]["width"] == 32
    assert made["dataset"]["batch_size"] == 16


def test_a_batch_is_never_more_than_a_quarter_of_the_cases() -> None:
    assert planned(trained=5)["dataset"]["batch_size"] == 1


def test_width_of_structures_is_measured() -> None:
    stripe = np.zeros((100, 100), np.uint8)
    stripe[40:46] = 1
    assert structure_width([stripe]) == pytest.approx(6, rel=0.25)
    disc = np.hypot(*np.mgrid[-50:51, -50:51]) <= 30
    assert structure_width([disc.astype(np.uint8)]) == pytest.approx(30, rel=0.15)
    both = np.where(disc, 2, 0).astype(np.uint8)
    both[:4] = 1
    assert structure_width([both]) < 8
    assert structure_width([np.zeros((9, 9), np.uint8)]) is None


def test_the_machine_is_timed() -> None:
    machine = plan.time_machine(Hardware("cpu", "32-true", "cpu"), channels=1, outputs=1, batch=1)
    assert machine.width == 16
    assert 0 < machine.seconds < 60


def test_few_epochs_get_mild_augmentation() -> None:
    few, many = planned(minutes=1), planned(minutes=10)
    assert few["trainer"]["max_epochs"] < plan.LONG <= many["trainer"]["max_epochs"]
    assert {"override /augmentation": "flip_rotate_zoom"} in few["defaults"]
    assert {"override /augmentation": "strong"} in many["defaults"]
    pair = [planned(minutes=m, facts=facts(size=(128, 128))) for m in (1, 10)]
    assert [p["dataset"]["image_size"] for p in pair] == [128, 128]
    assert [p["model"]["depth"] for p in pair] == [4, 5]


def test_large_images_of_thin_structures_are_trained_on_in_patches() -> None:
    retinas = {"facts": facts(28, (960, 999)), "trained": 20, "structure": 6.0}
    dataset = planned(minutes=15, **retinas)["dataset"]
    assert (dataset["image_size"], dataset["patch_size"]) == (None, 256)
    assert 1 <= dataset["patches_per_image"] <= 15
    longer = planned(minutes=600, **retinas)["dataset"]
    assert longer["patches_per_image"] == 15  # which cover an image


@pytest.mark.parametrize("changes", [{"structure": 40.0}, {"facts": facts(size=(400, 400))}])
def test_thick_structures_and_small_images_are_seen_whole(changes: dict) -> None:
    seen = {"facts": facts(28, (960, 999)), "structure": 3.0} | changes
    assert "patch_size" not in planned(**seen)["dataset"]


def test_the_minutes_of_a_plan_with_patches_are_kept() -> None:
    made = planned(minutes=15, facts=facts(28, (960, 999)), trained=20, structure=6.0)
    patches = made["trainer"]["max_epochs"] * 20 * made["dataset"]["patches_per_image"]
    seconds = patches * CPU.seconds * plan.OVERHEAD * (256 / plan.BASE) ** 2
    assert 0.5 * 15 * 60 < seconds <= 15 * 60
