"""The rules of a plan, on facts and machines written by the test."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from seg.cli.check import check
from seg.cli.compose import compose
from seg.data.pairs import Pair
from seg.preparation import plan
from seg.preparation.audit import CaseFacts
from seg.preparation.machine import BASE, FEW, Machine, choose_network, time_machine
from seg.preparation.structure import ClassShape, Structures, measure
from seg.training.hardware import Hardware

ON_CPU, ON_GPU = (Hardware(kind, "bf16-mixed", kind) for kind in ("cpu", "gpu"))


def network(hardware: Hardware, **facts: Any):
    return choose_network(
        hardware, **({"images": 70, "is_thin": False, "pretrained": False} | facts)
    )


CPU = Machine(ON_CPU, network(ON_CPU), 0.02)
GPU = Machine(ON_GPU, network(ON_GPU), 0.0005)
PRETRAINED = Machine(ON_CPU, network(ON_CPU, pretrained=True), 0.02)


def structures(width: float = 40.0, *, elongation: float = 5.0, **shapes: ClassShape) -> Structures:
    """Of 40 masks; further classes as c2=ClassShape(...)."""
    shape = ClassShape(
        [width] * 40, [width] * 40, [0.1] * 40, outlines=elongation * 4e4, area=10000
    )
    return Structures(40, {1: shape} | {int(name[1:]): s for name, s in shapes.items()})


def small(masks: int, share: float) -> ClassShape:
    return ClassShape([9.0] * masks, [9.0] * masks, [share] * masks, outlines=2e5, area=10000)


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


def planned(machine: Machine = CPU, minutes: float = 20, **changes: Any) -> dict:
    return yaml.safe_load(planned_text(machine, minutes, **changes))


def planned_text(
    machine: Machine = CPU, minutes: float = 20, *, overlap: bool = False, **changes: Any
) -> str:
    dataset = {
        "_target_": "seg.data.sources.folder.Folder", "root": "set", "image_dir": "images",
        "mask_dir": "masks", "image_suffix": "", "mask_suffix": "_seg", "group": r"(p\d+)",
        "axis": 2, "classes": None, "ignore_value": None, "window": None, "channels": 3,
        "mask_threshold": None, "overlap": overlap,
        "split": {"val": 0.1, "test": 0.2, "seed": 3, "file": None},
    }  # fmt: skip
    arguments = {
        "facts": facts(), "classes": None, "trained": 70, "structures": structures(),
        "mirrored": False,
    } | changes  # fmt: skip
    return plan.plan(
        arguments.pop("facts"), dataset=dataset, choice="folder", machine=machine, minutes=minutes,
        name="mine", **arguments,
    )  # fmt: skip


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert planned()["dataset"] == {
        "root": "set", "mask_suffix": "_seg", "group": r"(p\d+)",
        "split": {"val": 0.1, "test": 0.2, "seed": 3},
        "image_size": 256, "channels": 3, "batch_size": 8, "normalize": "auto",
    }  # fmt: skip


def test_epochs_fill_the_minutes() -> None:
    short, long = (planned(minutes=m)["trainer"]["max_epochs"] for m in (5, 10))
    size = planned(minutes=5)["dataset"]["image_size"]
    cost = CPU.seconds * plan.OVERHEAD * (size / BASE) ** 2 * 70
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
    made = planned(facts=facts(size=(480, 480)), structures=structures(3.0), minutes=1)
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


def test_structures_are_measured() -> None:
    stripe = np.zeros((100, 100), np.uint8)
    stripe[40:46, 2:-2] = 1
    (shape,) = measure([stripe]).classes.values()
    assert shape.width == pytest.approx(6, rel=0.25)
    assert shape.radius == pytest.approx(3, abs=0.7)
    assert shape.elongation == pytest.approx(96 / 6, rel=0.25)
    assert shape.shares == [0.0576]
    disc = (np.hypot(*np.mgrid[-50:51, -50:51]) <= 30).astype(np.uint8)
    (shape,) = measure([disc]).classes.values()
    assert shape.width == pytest.approx(30, rel=0.15)
    assert shape.radius == pytest.approx(30, rel=0.1)
    assert shape.elongation == pytest.approx(np.pi, rel=0.3)
    many = np.tile(disc, (3, 3))
    assert measure([many]).classes[1].elongation == pytest.approx(shape.elongation)
    both = np.where(disc, 2, 0).astype(np.uint8)
    both[:4] = 1
    found = measure([both, np.zeros((9, 9), np.uint8), np.full((9, 9), 255, np.uint8)])
    assert found.thinnest is found.classes[1]
    assert (found.masks, sorted(found.classes), len(found.classes[1].shares)) == (3, [1, 2], 1)
    planes = np.stack([both == 1, disc])
    assert measure([planes.astype(np.uint8)]).classes[2].radius == pytest.approx(shape.radius)
    assert measure([np.zeros((9, 9), np.uint8)]).thinnest is None


@pytest.mark.parametrize("pretrained", [False, True])
def test_the_machine_is_timed_with_the_network_of_the_plan(pretrained: bool) -> None:
    hardware = Hardware("cpu", "32-true", "cpu")
    chosen = network(hardware, pretrained=pretrained)
    machine = time_machine(hardware, chosen, channels=1, outputs=1, batch=1)
    assert machine.network is chosen
    assert 0 < machine.seconds < 60


@pytest.mark.parametrize(
    ("hardware", "facts", "name"),
    [
        (ON_CPU, {}, "unet"),
        (ON_CPU, {"pretrained": True}, "lite_unet"),
        (ON_GPU, {"pretrained": True}, "lite_unet"),
        (ON_GPU, {"pretrained": True, "images": FEW + 1}, "resenc_unet"),
        (ON_GPU, {"images": FEW + 1}, "resenc_unet"),
        (ON_CPU, {"pretrained": True, "images": FEW + 1}, "lite_unet"),
        (ON_CPU, {"pretrained": True, "is_thin": True}, "unet"),
        (ON_GPU, {"is_thin": True, "images": FEW + 1}, "unet"),
    ],
)
def test_images_machine_and_extras_choose_the_network(
    hardware: Hardware, facts: dict, name: str
) -> None:
    made = planned(Machine(hardware, network(hardware, **facts), 0.002))
    assert {"override /model": name} in made["defaults"]
    keys = {
        "unet": {"width": 16 if hardware is ON_CPU else 32},
        "lite_unet": {"encoder": "lite0", "weights": "imagenet"},
        "resenc_unet": {},
    }
    assert {k: v for k, v in made.get("model", {}).items() if k != "depth"} == keys[name]
    assert ("depth" in made.get("model", {})) == (name == "unet")


def test_pretrained_networks_are_given_fewer_and_larger_images() -> None:
    sizes = [
        planned(machine, facts=facts(size=(512, 512)), trained=200)["dataset"]["image_size"]
        for machine in (CPU, PRETRAINED)
    ]
    assert sizes[0] < sizes[1]


def test_lines_get_cldice_with_the_radius_of_the_thickest() -> None:
    lines = planned(structures=structures(6.0, elongation=300.0), facts=facts(size=(256, 256)))
    assert {"override /loss": "bce_dice"} in lines["defaults"]
    cldice = lines["loss"]["terms"]["cldice"]
    assert (cldice["iterations"], cldice["scale"]) == (6, 0.5)
    assert "loss" not in planned(structures=structures(6.0, elongation=20.0))


def test_rare_classes_get_weights_and_cases_of_theirs_more_often() -> None:
    names = {"a": 1, "b": 2}
    even = planned(classes=names, structures=structures(c2=small(40, 0.05)))
    assert "loss" not in even
    assert "sampling" not in even["dataset"]
    empty = planned(facts=facts(shares=(0.0, 0.0, 0.1)))  # of one class: measured, it does not help
    assert "sampling" not in empty["dataset"]
    few = planned(classes=names, structures=structures(c2=small(5, 0.1)))
    assert few["dataset"]["sampling"] == "foreground"
    none = planned(classes=names)  # no mask of the sample has b
    assert none["dataset"]["sampling"] == "foreground"
    tiny = planned(classes=names, structures=structures(c2=small(40, 0.002)))
    assert tiny["loss"]["terms"] == {"ce": {"class_weights": "auto"}}


def test_few_epochs_get_mild_augmentation() -> None:
    few, many = planned(minutes=1), planned(minutes=10)
    assert few["trainer"]["max_epochs"] < plan.LONG <= many["trainer"]["max_epochs"]
    assert {"override /augmentation": "flip_rotate_zoom"} in few["defaults"]
    assert {"override /augmentation": "strong"} in many["defaults"]
    pair = [planned(minutes=m, facts=facts(size=(128, 128))) for m in (1, 10)]
    assert [p["dataset"]["image_size"] for p in pair] == [128, 128]
    assert [p["model"]["depth"] for p in pair] == [4, 5]


def test_large_images_of_thin_structures_are_trained_on_in_patches() -> None:
    retinas = {"facts": facts(28, (960, 999)), "trained": 20, "structures": structures(6.0)}
    dataset = planned(minutes=15, **retinas)["dataset"]
    assert (dataset["image_size"], dataset["patch_size"]) == (None, 256)
    assert 1 <= dataset["patches_per_image"] <= 15
    longer = planned(minutes=600, **retinas)["dataset"]
    assert longer["patches_per_image"] == 15  # which cover an image


@pytest.mark.parametrize(
    "changes", [{"structures": structures(40.0)}, {"facts": facts(size=(400, 400))}]
)
def test_thick_structures_and_small_images_are_seen_whole(changes: dict) -> None:
    seen = {"facts": facts(28, (960, 999)), "structures": structures(3.0)} | changes
    assert "patch_size" not in planned(**seen)["dataset"]


def test_the_minutes_of_a_plan_with_patches_are_kept() -> None:
    made = planned(minutes=15, facts=facts(28, (960, 999)), trained=20, structures=structures(6.0))
    patches = made["trainer"]["max_epochs"] * 20 * made["dataset"]["patches_per_image"]
    seconds = patches * CPU.seconds * plan.OVERHEAD * (256 / BASE) ** 2
    assert 0.5 * 15 * 60 < seconds <= 15 * 60


KINDS = {
    "plain": {},
    "lines": {"structures": structures(6.0, elongation=300.0), "facts": facts(28, (960, 999))},
    "empty": {"facts": facts(shares=(0.0, 0.0, 0.1))},
    "rare": {"classes": {"a": 1, "b": 2}, "structures": structures(c2=small(5, 0.002))},
    "sharing": {"classes": {"a": 1, "b": 2}, "overlap": True, "facts": facts(shares=(0.0, 0.1))},
    "pretrained": {"machine": PRETRAINED},
    "large": {"machine": Machine(ON_GPU, network(ON_GPU, images=FEW + 1), 0.002)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_plan_is_a_configuration_without_a_fault(kind: str, tmp_path: Path) -> None:
    text = planned_text(**KINDS[kind])
    plan.write(text, "mine", tmp_path)
    cfg = compose([f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine"])
    check(cfg)
    assert all(line.isascii() and len(line) < 200 for line in text.splitlines())
