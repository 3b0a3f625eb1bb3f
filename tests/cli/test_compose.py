"""Composition and check(cfg): what is wrong is said before data is read, all at once."""

import sys
from pathlib import Path

import pytest
import torch
from hydra._internal.utils import get_args_parser
from hydra.utils import instantiate
from omegaconf import OmegaConf

from seg.cli import compose as config
from seg.cli.compose import CONF_DIR, ConfigError, check, compose, plain
from seg.cli.review import Reviewed
from seg.cli.review import review as command_line_review

GROUPS = sorted(d.name for d in CONF_DIR.iterdir() if d.is_dir())
CHOICES = [
    (group, path.stem)
    for group in GROUPS
    for path in sorted((CONF_DIR / group).glob("*.yaml"))
]  # fmt: skip


def problems_of(*overrides: str) -> list[str]:
    """What check says of a composed configuration."""
    with pytest.raises(ConfigError) as caught:
        check(compose(overrides))
    return caught.value.problems


def review(*argv: str) -> list:
    """What the door does with a command line, before it trains."""
    arguments = get_args_parser().parse_args(list(argv))
    arguments.config_name = arguments.config_name or "train"
    return command_line_review(arguments).configurations


def refusal(*argv: str) -> str:
    with pytest.raises(ConfigError) as caught:
        review(*argv)
    return str(caught.value)


def test_the_groups_were_found() -> None:
    expected = {"dataset", "augmentation", "model", "loss", "optimizer", "scheduler", "trainer"}
    assert expected <= set(GROUPS)
    assert len(CHOICES) > 25


TRAINED = [c for c in CHOICES if c[0] != "protocol"]  # which is evaluation's


@pytest.mark.parametrize(("group", "choice"), TRAINED)
def test_every_choice_composes_and_passes_check(group: str, choice: str) -> None:
    overrides = [f"{group}={choice}"]
    if choice in ("folder", "table", "custom"):
        overrides.append("dataset.root=somewhere")
    check(compose(overrides))


@pytest.mark.parametrize(("group", "choice"), [c for c in CHOICES if c[0] in ("loss", "model")])
def test_every_loss_and_model_instantiates(group: str, choice: str) -> None:
    assert isinstance(
        instantiate(compose([f"{group}={choice}"])[group], _convert_="all"), torch.nn.Module
    )


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
    found = {key: OmegaConf.select(cfg, key) for key in DOCUMENTED[experiment]}
    assert found == DOCUMENTED[experiment]


@pytest.mark.parametrize("experiment", DOCUMENTED)
def test_an_experiments_file_opens_with_its_command_and_marks_what_is_ours(experiment: str) -> None:
    text = (CONF_DIR / "experiment" / f"{experiment}.yaml").read_text()
    assert f"# python -m seg.train experiment={experiment}" in text.splitlines()[1]
    assert "# ours" in text


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optimizer.lr=-1", "optimizer.lr=-1: must be a number from 0"),
        ("optimizer.lr=nan", "optimizer.lr=nan: must be a number from 0"),
        ("optimizer.lr=abc", "optimizer.lr=abc: must be a number from 0"),
        ("dataset.batch_size=0", "dataset.batch_size=0: must be a whole number from 1"),
        ("dataset.batch_size=2.5", "dataset.batch_size=2.5: must be a whole number from 1"),
        ("dataset.batch_size=true", "dataset.batch_size=True: must be a whole number from 1"),
        ("trainer.max_epochs=-5", "trainer.max_epochs=-5: must be a whole number from 1"),
        ("dataset.image_size=[1,2,3]", "dataset.image_size=[1, 2, 3]: must be a side in pixels"),
        ("threshold=1.5", "threshold=1.5: must be a probability between 0 and 1"),
        ("dataset.split.by=patient", "dataset.split.by=patient: must be group or file"),
        ("model.width=big", "model.width=big: must be a whole number from 1"),
        ("model.norm=batsh", "model.norm='batsh': must be Literal['none', 'batch', 'instance'"),
        ("model.dropout=2", "model.dropout=2: must be a share"),
        ("scheduler.warmup=5", "scheduler.warmup=5: must be a share"),
        ("trainer.devices=0", "trainer.devices=0: must be a count from 1"),
        ("init_from=nowhere", "init_from=nowhere: no such file or folder"),
        ("dataset.split.test=0.9", "leaves nothing to train on"),
        ("dataset.split.folds=5", "folds and dataset.split.fold go together"),
        ("+trainer.check_val_every_n_epoch=5", "every epoch is validated"),
        ("dataset.split.file=nowhere.csv", "dataset.split.file=nowhere.csv: no such file"),
        ("+lrr=3", "lrr: no such key"),
        ("+optimizer.lrr=3", "optimizer.lrr: AdamW takes no such key (nearest: lr)"),
        ("+dataset.batchsize=3", "dataset.batchsize: Synthetic takes no such key (nearest: batch"),
        ("+dataset.split.vall=3", "dataset.split.vall: no such key (nearest: val)"),
        ("+loss.losses.0.pos_weigth=3", "loss.losses.0.pos_weigth: BCELoss takes no such key"),
        ("model._target_=seg.models.unet.UNett", "seg.models.unet has no UNett"),
        ("model._target_=nowhere.Net", "no module nowhere.Net"),
        ("+dataset.classes.background=0", "dataset.classes.background: background is value 0"),
    ],
)
def test_a_wrong_value_or_key_is_named(override: str, expected: str) -> None:
    if override.startswith("+loss.losses.0"):
        cfg = compose([])
        OmegaConf.update(cfg, "loss.losses", plain(cfg.loss.losses), merge=False)
        cfg.loss.losses[0]["pos_weigth"] = 3
        with pytest.raises(ConfigError) as caught:
            check(cfg)
        assert expected in caught.value.problems[0]
        return
    assert any(expected in problem for problem in problems_of(override))


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "subprocess.Popen", "builtins.eval", "pickle.loads", "torch.load",
        "torch.hub.load", "urllib.request.urlopen", "shutil.rmtree", "seg.runs.run.os.system",
        "seg.runs.run.subprocess.run", "numpy.load", "joblib.load", "runpy.run_path",
        "torch.utils.collect_env.run", "pydoc.pipepager", "numpy.testing.runstring",
        "logging.handlers.SocketHandler", "cProfile.run", "pandas.read_pickle",
    ],
)  # fmt: skip
def test_a_target_that_could_run_or_fetch_code_is_refused_not_run(target: str) -> None:
    found = problems_of(f"model._target_={target}")
    assert any(f"refused, {target}" in problem for problem in found)


def test_all_problems_are_said_at_once() -> None:
    found = problems_of("optimizer.lr=-1", "dataset.batch_size=0", "trainer.max_epochs=0", "+lrr=1")
    assert len(found) == 4


def test_missing_values_are_named() -> None:
    assert problems_of("dataset=folder") == ["dataset.root: required; give dataset.root=..."]


def test_lr_zero_is_allowed() -> None:
    check(compose(["optimizer.lr=0"]))


def test_several_misspellings_on_the_command_line_are_all_named_with_the_nearest() -> None:
    message = refusal("datasett=lgg", "loss=dise", "optimizer.lrr=1", "dataset.bach_size=4")
    assert "datasett: no such key or group (nearest: dataset)" in message
    assert "loss=dise: no such choice (nearest: dice); there are" in message


def test_misspelt_keys_on_the_command_line_are_all_named_with_the_nearest() -> None:
    message = refusal("optimizer.lrr=1", "dataset.bach_size=4", "trainer.max_epoch=3")
    for wanted in ("optimizer.lrr", "dataset.batch_size", "trainer.max_epochs"):
        assert wanted in message
    assert message.count("no such key") == 3


def test_an_override_that_cannot_be_read_is_named() -> None:
    assert "cannot be read" in refusal("dataset.image_size=[1,2")


def reviewed(*argv: str) -> Reviewed:
    arguments = get_args_parser().parse_args(list(argv))
    arguments.config_name = "train"
    return command_line_review(arguments)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        (["loss=bce,dise"], ["loss=dise"]),
        (["loss=dise,bce"], ["loss=dise"]),
        (["optimizer.lr=-2,1e-3", "dataset.batch_size=0,8"],
         ["optimizer.lr=-2", "dataset.batch_size=0"]),
        (["loss=dise,bce", "optimizer=adm,adam"], ["loss=dise", "optimizer=adm"]),
    ],
)  # fmt: skip
def test_a_bad_value_of_a_sweep_is_named_and_leaves_the_others(
    values: list[str], wrong: list[str]
) -> None:
    found = reviewed("--multirun", *values)
    assert found.configurations
    assert len(found.wrong) == len(wrong)
    assert all(any(w in line for line in found.wrong) for w in wrong)


def test_a_sweep_without_a_sound_value_is_refused_with_all_that_is_wrong() -> None:
    message = refusal("--multirun", "loss=dise,bse", "optimizer.lr=-1,-2", "seeed=3")
    assert "loss=dise" in message
    assert "optimizer.lr=-1" in message or "optimizer.lr=-2" in message
    assert "seeed: no such key or group (nearest: seed)" in message


def test_the_documents_grid_is_swept_without_a_flag_and_can_be_cut() -> None:
    found = reviewed("sweep=documents", "dataset.image_size=128", "optimizer.lr=1e-4,1e-3")
    assert found.sweep is not None
    assert {cfg.dataset.image_size for cfg in found.configurations} == {128}
    assert {cfg.optimizer.lr for cfg in found.configurations} == {1e-4, 1e-3}
    assert {cfg.dataset.batch_size for cfg in found.configurations} == {8, 32, 128}
    assert not found.wrong


def test_folds_are_as_many_as_asked_for() -> None:
    assert {c.dataset.split.fold for c in reviewed("sweep=folds").configurations} == set(range(5))
    found = reviewed("sweep=folds", "dataset.split.folds=3", "seed=1,2").configurations
    assert {c.dataset.split.fold for c in found} == {0, 1, 2}
    assert {c.dataset.split.folds for c in found} == {3}
    assert {c.seed for c in found} == {1, 2}


def test_an_interval_needs_a_search() -> None:
    message = refusal("--multirun", "optimizer.lr=interval(1e-5,1e-3)")
    assert "an interval needs sweep=optuna" in message


def test_a_missing_engine_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "hydra._internal.config_loader_impl.ConfigLoaderImpl.get_group_options",
        lambda self, group, *rest, **more: ["basic"],
    )
    assert "pip install 'seg-med[ray]'" in refusal("--multirun", "hydra/launcher=ray", "seed=1,2")


def test_hydras_own_hooks_cannot_be_used_to_run_code(tmp_path: Path) -> None:
    marker = tmp_path / "made"
    message = refusal(f"+hydra.callbacks.x={{_target_: os.mkdir, path: {marker}}}")
    assert "os.mkdir is not of Hydra" in message
    assert not marker.exists()


def test_a_group_that_is_not_a_choice_is_refused(tmp_path: Path) -> None:
    OmegaConf.save(OmegaConf.create(plain(compose([]))), tmp_path / "config.yaml")
    message = refusal("--config-path", str(tmp_path), "--config-name", "config", "optimizer=sgd")
    assert "optimizer=sgd: must be a choice of the group" in message


def test_a_stages_rate_reaches_its_schedule() -> None:
    cfg = compose(
        ["experiment=hyperkvasir", "scheduler@stages.dice.scheduler=onecycle", "optimizer.lr=0.5"]
    )
    assert cfg.stages.dice.scheduler.max_lr == cfg.stages.dice.optimizer.lr == 1e-4


def test_a_sound_command_line_passes() -> None:
    composed = review("dataset=lgg", "loss=dice", "optimizer=adamw", "dataset.root=x y/ü")
    assert composed[0].name == "lgg-unet-dice"
    assert composed[0].dataset.root == "x y/ü"


def test_classes_can_be_given_to_a_folder() -> None:
    composed = review(
        "dataset=folder", "dataset.root=x", "dataset.classes={cytoplasm: 128, nucleus: 255}"
    )
    assert composed[0].model.out_channels == 3


@pytest.mark.parametrize(("classes", "channels"), [(None, 1), ({"a": 1}, 1), ({"a": 1, "b": 2}, 3)])
def test_out_channels_follow_the_classes(classes: dict | None, channels: int) -> None:
    assert config.out_channels(classes) == channels


def test_a_users_own_directory_adds_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "loss").mkdir(parents=True)
    (tmp_path / "conf" / "loss" / "mine.yaml").write_text("_target_: my_loss.MyLoss\nalpha: 2.0\n")
    (tmp_path / "my_loss.py").write_text(
        "import torch\n"
        "class MyLoss(torch.nn.Module):\n"
        "    def __init__(self, *, alpha: float) -> None:\n"
        "        super().__init__()\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    composed = review("--config-dir", str(tmp_path / "conf"), "loss=mine")
    assert composed[0].loss._target_ == "my_loss.MyLoss"
    assert "loss.alpha='x': must be float" in refusal(
        "--config-dir", str(tmp_path / "conf"), "loss=mine", "loss.alpha=x"
    )
    assert "nearest: mine" in refusal("--config-dir", str(tmp_path / "conf"), "loss=mime")


def test_the_message_stays_short() -> None:
    wrong = [f"+key{i}=1" for i in range(50)]
    with pytest.raises(ConfigError) as caught:
        check(compose(wrong))
    assert len(str(caught.value).splitlines()) <= 20
    assert "more" in str(caught.value)


@pytest.mark.parametrize("choice", [c for g, c in CHOICES if g == "dataset"])
def test_every_data_set_can_be_prepared(choice: str) -> None:
    root = ["dataset.root=somewhere"] if choice in ("folder", "table") else []
    check(compose([f"dataset={choice}", *root], config_name="prepare"), door="prepare")


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("plan=../x", "plan=../x: must be null, or the name of an experiment"),
        ("minutes=0", "minutes=0: must be minutes of training, above 0"),
        ("against=nowhere", "against=nowhere: no such file or folder"),
        ("dataset.url=ftp://x", "dataset.url=ftp://x: must be null, or http"),
        ("dataset.sha256=abc", "dataset.sha256=abc: must be null, or 64 hex digits"),
        ("dataset.window=[5,1]", "dataset.window=[5, 1]: must be null, percentile"),
        ("dataset.split.duplicates=maybe", "must be together or ignore"),
        ("+loss=dice", "loss: no such key"),
    ],
)
def test_what_is_wrong_for_prepare_is_said(override: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(compose(["dataset=kvasir", override], config_name="prepare"), door="prepare")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "value", [r"Image_(\d+)", r"(.+?)[-_ ]*\d*\.\w+$", "it's (a) file", "a b\\", r"c:\x (1)\'s"]
)
def test_a_value_with_brackets_and_backslashes_arrives_as_it_was_typed(value: str) -> None:
    composed = review("dataset=folder", "dataset.root=x", f"dataset.image_suffix={value}")
    assert composed[0].dataset.image_suffix == value


def test_an_escaped_interpolation_is_refused() -> None:
    """The source is built of resolved containers, in which it would be resolved, and obeyed."""
    hidden = "\\${oc.create:'{_target_: os.getcwd}'}"
    cfg = compose(["dataset=folder", "dataset.root=x"])
    cfg.dataset.classes = {"a": hidden}
    with pytest.raises(ConfigError, match=r"dataset\.classes\.a: refused, an escaped"):
        check(cfg)
