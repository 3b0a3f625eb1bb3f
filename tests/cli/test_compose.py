"""Every file of conf/ composes, passes the check and builds what it names."""

import pytest
import torch
from omegaconf import OmegaConf

from seg.cli.check import check
from seg.cli.compose import CONF_DIR, LAYOUTS, ConfigError, compose, out_channels, plain
from seg.cli.make import make
from seg.cli.make_loss import make_loss

GROUPS = sorted(d.name for d in CONF_DIR.iterdir() if d.is_dir())
CHOICES = [
    (group, path.stem)
    for group in GROUPS
    for path in sorted((CONF_DIR / group).glob("*.yaml"))
]  # fmt: skip
LIBRARIES = {"seg.models.smp": "segmentation_models_pytorch", "seg.models.monai": "einops"}
SERVICES = ("wandb", "mlflow")
TRAINED = [c for c in CHOICES if c[0] != "protocol"]  # which is evaluation's


def test_the_groups_were_found() -> None:
    expected = {"dataset", "augmentation", "model", "loss", "optimizer", "scheduler", "trainer"}
    assert expected <= set(GROUPS)
    assert len(CHOICES) > 25


CUSTOM = ("custom", "custom_best", "custom_best_gpu")  # of no data set in particular


def required(choice: str) -> list[str]:
    """What a choice needs beside its name."""
    root = ["dataset.root=somewhere"] if choice in (*LAYOUTS, *CUSTOM) else []
    return [*root, "dataset.annotations=x.json"] if choice == "coco" else root


@pytest.mark.parametrize(("group", "choice"), TRAINED)
def test_every_choice_composes_and_passes_check(group: str, choice: str) -> None:
    if group == "logger" and choice in SERVICES:
        pytest.importorskip(choice, reason=f"needs the extra {choice}")
    check(compose([f"{group}={choice}", *required(choice)]))


@pytest.mark.parametrize("choice", [c for g, c in CHOICES if g == "dataset"])
def test_every_data_set_can_be_prepared(choice: str) -> None:
    overrides = [f"dataset={choice}", *required(choice)]
    check(compose(overrides, config_name="prepare"), command="prepare")


@pytest.mark.parametrize("choice", [c for g, c in CHOICES if g == "model"])
def test_every_model_instantiates(choice: str) -> None:
    node = compose([f"model={choice}"]).model
    for target, package in LIBRARIES.items():
        if target in node._target_:
            pytest.importorskip(package, reason="needs an extra")
            node.weights = None  # which would be downloaded
    # the large ones are not filled with numbers
    with torch.device("meta" if choice.startswith("resenc") else "cpu"):
        assert isinstance(make(node), torch.nn.Module)


@pytest.mark.parametrize("choice", [c for g, c in CHOICES if g == "loss"])
def test_every_loss_instantiates(choice: str) -> None:
    node = compose([f"loss={choice}"]).loss
    before = plain(node)
    assert isinstance(make_loss(node, channels=1, overlap=False), torch.nn.Module)
    assert plain(node) == before


def test_a_term_has_its_scale() -> None:
    cfg = compose(["loss=ce_dice", "loss.terms.dice.scale=0.25", "loss.terms.ce.scale=3"])
    assert make_loss(cfg.loss, channels=2, overlap=False).weights == [3, 0.25]
    cfg = compose(["+loss@loss.terms.more=boundary", "loss.terms.more.terms.dice.scale=0"])
    assert make_loss(cfg.loss, channels=1, overlap=False).losses[2].weights == [0, 0.01]


DOCUMENTED = {
    "kidney": {
        "dataset.image_size": 128, "dataset.split.test": 0.2, "dataset.batch_size": 128,
        "loss._target_": "seg.losses.bce.BCELoss", "optimizer._target_": "torch.optim.Adam",
        "optimizer.lr": 1e-4, "trainer.max_epochs": 100, "dataset.channels": 3,
    },
    "custom": {
        "dataset._target_": "seg.data.sources.folder.Folder",
        "optimizer._target_": "torch.optim.Adam",
        "loss._target_": "seg.losses.weighted_sum.WeightedSum",
    },
    "kvasir": {
        "optimizer.lr": 1e-5, "dataset.batch_size": 8, "trainer.max_epochs": 100,
        "loss._target_": "seg.losses.weighted_sum.WeightedSum", "panels_every": 5,
    },
    "lgg": {
        "dataset.image_size": 224, "loss._target_": "seg.losses.dice.DiceLoss",
        "optimizer._target_": "torch.optim.AdamW", "optimizer.lr": 1e-4, "trainer.max_epochs": 30,
    },
    "hyperkvasir": {
        "dataset.image_size": 128, "loss._target_": "seg.losses.bce.BCELoss",
        "optimizer._target_": "torch.optim.Adam", "optimizer.lr": 1e-3, "trainer.max_epochs": 100,
        "stages.dice.loss._target_": "seg.losses.dice.DiceLoss", "stages.dice.optimizer.lr": 1e-4,
        "model.depth": 4,
    },
}  # fmt: skip


@pytest.mark.parametrize("experiment", DOCUMENTED)
def test_an_experiment_carries_its_documents_values(experiment: str) -> None:
    cfg = compose([f"experiment={experiment}", "dataset.root=somewhere"])
    values = {key: OmegaConf.select(cfg, key) for key in DOCUMENTED[experiment]}
    assert values == DOCUMENTED[experiment]


@pytest.mark.parametrize("experiment", DOCUMENTED)
def test_an_experiments_file_opens_with_its_command_and_marks_what_is_ours(experiment: str) -> None:
    text = (CONF_DIR / "experiment" / f"{experiment}.yaml").read_text()
    assert f"# python -m seg.train experiment={experiment}" in text.splitlines()[1]
    assert "# ours" in text


OTHER = ["model=unetpp", "loss=focal", "dataset.root=somewhere"]


@pytest.fixture(scope="module")
def other() -> dict:
    return plain(compose(OTHER))


@pytest.mark.parametrize("experiment", [c for g, c in CHOICES if g == "experiment"])
def test_an_experiment_takes_any_network_and_loss(experiment: str, other: dict) -> None:
    cfg = compose([f"experiment={experiment}", *OTHER])
    check(cfg)
    got = plain(cfg)
    # no key of the network and the loss that it had, and as many outputs as its data have classes
    outputs = out_channels(got["dataset"]["classes"], overlap=False)
    assert got["model"] == other["model"] | {"out_channels": outputs}
    assert got["loss"] == other["loss"]


def test_the_command_line_goes_before_an_experiment() -> None:
    at = ["experiment=kvasir", "dataset.root=somewhere"]
    assert (compose(at).model.width, compose([*at, "model.width=8"]).model.width) == (64, 8)


def test_a_stages_rate_reaches_its_schedule() -> None:
    cfg = compose(
        ["experiment=hyperkvasir", "scheduler@stages.dice.scheduler=onecycle", "optimizer.lr=0.5"]
    )
    assert cfg.stages.dice.scheduler.max_lr == cfg.stages.dice.optimizer.lr == 1e-4


@pytest.mark.parametrize(("classes", "channels"), [(None, 1), ({"a": 1}, 1), ({"a": 1, "b": 2}, 3)])
def test_out_channels_follow_the_classes(classes: dict | None, channels: int) -> None:
    assert out_channels(classes, overlap=False) == channels
    assert out_channels(classes, overlap=True) == len(classes or "1")


def test_a_folder_of_masks_for_each_class_names_the_classes() -> None:
    assert compose(["dataset=folder", "dataset.root=x"]).model.out_channels == 1
    both = ["dataset=folder", "dataset.root=x", "dataset.mask_dir={disc: d, cup: c}"]
    assert compose(both).model.out_channels == 3
    both.append("dataset.overlap=true")
    assert compose(both).model.out_channels == 2
    assert plain(compose(both).dataset)["classes"] == {"disc": None, "cup": None}


def test_the_message_of_many_problems_stays_short() -> None:
    message = str(ConfigError([f"key{i}: no such key" for i in range(50)]))
    assert len(message.splitlines()) <= 20
    assert "32" in message.splitlines()[-1]


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["dataset=kvasir"], "kvasir"),
        (["dataset=kvasir", "dataset.root=/data/BUSI"], "kvasir"),
        (["dataset=folder", "dataset.root=/data/BUSI"], "BUSI"),
        (["dataset=folder", "dataset.root=/data/BUSI/"], "BUSI"),
        (["dataset=table", "dataset.root=/data/x y"], "x y"),
        (["dataset=coco", "dataset.root=/data/c", "dataset.annotations=a.json"], "c"),
        (["dataset=folder", "dataset.root=/data/BUSI", "dataset.name=mine"], "mine"),
        (["dataset=folder"], "folder"),  # refused later, for the missing root
    ],
)
def test_a_run_is_called_by_its_data_set(overrides: list, name: str) -> None:
    cfg = compose(overrides)
    assert cfg.name == f"{name}-unet-bce_dice"
    assert cfg.dataset.name == name
    assert compose(overrides, config_name="prepare").name == name
