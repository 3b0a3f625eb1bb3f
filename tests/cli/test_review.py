"""A command line is composed and checked as a whole before anything runs."""

import re
import sys
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from seg.cli import review as reviewing
from seg.cli.compose import ConfigError, compose, plain
from seg.cli.make_loss import make_loss
from seg.cli.review import Review
from seg.cli.rules import RULES


def review(*argv: str, command: str = "train") -> Review:
    arguments = get_args_parser().parse_args(list(argv))
    arguments.config_name = arguments.config_name or command
    return reviewing.review(arguments, command=command)


def problems_of(*argv: str, command: str = "train") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        review(*argv, command=command)
    return caught.value.problems


def test_a_sound_command_line_passes() -> None:
    result = review("dataset=lgg", "loss=dice", "optimizer=adamw", "dataset.root=x y/ü")
    assert result.sweeper is None
    assert result.problems == []
    assert result.configurations[0].name == "lgg-unet-dice"
    assert result.configurations[0].dataset.root == "x y/ü"


def test_what_hydra_knows_of_a_run_afterwards_is_of_its_own_command_line() -> None:
    review("dataset=lgg", "loss=dice", "seed=3")  # the run goes on with it: names, run.json
    assert HydraConfig.get().runtime.choices["dataset"] == "lgg"
    assert list(HydraConfig.get().overrides.task) == ["dataset=lgg", "loss=dice", "seed=3"]


def test_misspelt_groups_and_choices_are_all_named_with_the_nearest() -> None:
    problems = problems_of("datasett=lgg", "loss=dise", "optimizer.lrr=1", "dataset.bach_size=4")
    assert [problem.partition(":")[0] for problem in problems] == [
        "loss=dise", "datasett", "optimizer.lrr", "dataset.bach_size",
    ]  # fmt: skip
    for problem, nearest in zip(problems, ("dice", "dataset", "lr", "batch_size"), strict=True):
        assert f"{nearest})" in problem
    assert "bce_dice" in problems[0]  # all choices are listed


def test_misspelt_keys_are_all_named_with_the_nearest() -> None:
    problems = problems_of("optimizer.lrr=1", "dataset.bach_size=4", "trainer.max_epoch=3")
    assert len(problems) == 3
    for problem, nearest in zip(
        problems, ("optimizer.lr", "dataset.batch_size", "trainer.max_epochs"), strict=True
    ):
        assert f"nearest: {nearest})" in problem


def test_wrong_values_are_named_beside_misspelt_keys() -> None:
    problems = problems_of("optimizer.lrr=1", "optimizer.lr=-1", "loss=dise")
    assert {problem.partition(":")[0] for problem in problems} == {
        "optimizer.lrr", "optimizer.lr=-1", "loss=dise",
    }  # fmt: skip


def test_an_override_that_cannot_be_read_is_named() -> None:
    assert "dataset.image_size=[1,2: " in problems_of("dataset.image_size=[1,2")[0]


def test_several_values_need_the_flag() -> None:
    problems = problems_of("loss=bce,dice", "seed=-1")
    assert problems[0].startswith("loss=bce,dice: ")
    assert "--multirun" in problems[0]
    assert problems[1].startswith("seed=-1: ")


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
    result = review("--multirun", *values)
    assert result.configurations
    assert len(result.problems) == len(wrong)
    assert all(any(w in line for line in result.problems) for w in wrong)


@pytest.mark.parametrize(
    "lines",
    [
        ["seed=1,2", "loss=dice,bce", "dataset.image_size=[64,96],128"],
        ["name=a,'b c'", "early_stopping=null,3"],
        ["dataset=folder", "dataset.root=x", "dataset.classes={a:1},{b:2}"],
        ["dataset.split.val=0.2,0.3", "dataset=kvasir,lgg", "dataset.batch_size=2,4"],
        ["+optimizer.amsgrad=true,false", "model.depth=2,3", "model.width=8"],
        ["model.width=8,16", "loss=dice", "model=unet,attention_unet"],
        ["dataset.split={val:0.3,test:0.1}", "dataset.split.val=0.1,0.2"],
        ["dataset.split.val=0.1,0.2", "dataset.split={val:0.3,test:0.1}"],
    ],
)
def test_each_value_of_a_sweep_is_reviewed_as_hydra_composes_it(lines: list[str]) -> None:
    values = [[line] if "," not in line or "={v" in line else split(line) for line in lines]
    result = review("--multirun", *lines)
    expected = [plain(compose(list(some))) for some in one_changed(values)]
    assert [plain(cfg) for cfg in result.configurations] == expected
    assert not result.problems


def test_choices_of_a_group_of_ones_own_are_each_composed(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    for number, name in enumerate("ab"):
        text = f"# @package _global_\nseed: {number}\ndataset:\n  batch_size: {number + 2}\n"
        (tmp_path / "site" / f"{name}.yaml").write_text(text)
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\ndefaults:\n  - /site: a\n  - _self_\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    for line in ("site=a,b", "site=b,a"):
        result = review("--multirun", f"--config-dir={tmp_path}", "experiment=mine", line)
        assert not result.problems
        assert {(c.seed, c.dataset.batch_size) for c in result.configurations} == {(0, 2), (1, 3)}


def split(line: str) -> list[str]:
    """`key=a,b` as `key=a` and `key=b`."""
    key, _, text = line.partition("=")
    return [f"{key}={value}" for value in re.split(r",(?![^\[]*\])", text)]


def one_changed(values: list[list[str]]) -> list[list[str]]:
    """The first of each, then all others in their place."""
    first = [some[0] for some in values]
    return [first] + [
        [*first[:i], line, *first[i + 1 :]] for i, some in enumerate(values) for line in some[1:]
    ]


def test_a_sweep_without_a_sound_value_is_refused_with_all_that_is_wrong() -> None:
    problems = problems_of("--multirun", "loss=dise,bse", "optimizer.lr=-1,-2", "seeed=3")
    assert any(problem.startswith("loss=dise: ") for problem in problems)
    assert any(
        problem.startswith(("optimizer.lr=-1: ", "optimizer.lr=-2: ")) for problem in problems
    )
    assert any(
        problem.startswith("seeed: ") and "nearest: seed)" in problem for problem in problems
    )


def test_the_documents_grid_is_swept_without_a_flag_and_can_be_cut() -> None:
    result = review("sweep=documents", "dataset.image_size=128", "optimizer.lr=1e-4,1e-3")
    assert result.sweeper is not None
    assert {cfg.dataset.image_size for cfg in result.configurations} == {128}
    assert {cfg.optimizer.lr for cfg in result.configurations} == {1e-4, 1e-3}
    assert {cfg.dataset.batch_size for cfg in result.configurations} == {8, 32, 128}
    assert not result.problems


def test_folds_are_as_many_as_asked_for() -> None:
    assert {c.dataset.split.fold for c in review("sweep=folds").configurations} == set(range(5))
    result = review("sweep=folds", "dataset.split.folds=3", "seed=1,2").configurations
    assert {c.dataset.split.fold for c in result} == {0, 1, 2}
    assert {c.dataset.split.folds for c in result} == {3}
    assert {c.seed for c in result} == {1, 2}


def test_an_interval_needs_a_search() -> None:
    problems = problems_of("--multirun", "optimizer.lr=interval(1e-5,1e-3)")
    assert problems[0].startswith("optimizer.lr=interval(1e-5,1e-3): ")
    assert "sweep=optuna" in problems[0]


def test_a_misspelt_group_is_told_its_name() -> None:
    assert problems_of("experimnt=x") == ["experimnt: no such key or group (nearest: experiment)"]


def test_a_missing_engine_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "hydra._internal.config_repository.ConfigRepository.get_group_options",
        lambda self, *rest, **more: ["basic"],
    )
    problems = problems_of("--multirun", "hydra/launcher=ray", "seed=1,2")
    assert "pip install 'seg-med[ray]'" in problems[0]


def test_hydras_own_hooks_cannot_be_used_to_run_code(tmp_path: Path) -> None:
    marker = tmp_path / "made"
    problems = problems_of(f"+hydra.callbacks.x={{_target_: os.mkdir, path: {marker}}}")
    assert "os.mkdir" in problems[0]
    assert not marker.exists()


def test_a_group_that_is_not_a_choice_is_refused(tmp_path: Path) -> None:
    OmegaConf.save(OmegaConf.create(plain(compose([]))), tmp_path / "config.yaml")
    problems = problems_of(
        "--config-path", str(tmp_path), "--config-name", "config", "optimizer=sgd"
    )
    assert problems[0].startswith("optimizer=sgd: ")


@pytest.mark.parametrize("flag", ["--config-path", "--config-dir"])
def test_a_folder_of_configurations_that_is_not_there_is_named(flag: str) -> None:
    assert problems_of(flag, "nowhere")[0].startswith(f"{flag} nowhere: ")


@pytest.mark.parametrize("command", list(RULES))
def test_a_configuration_is_shown_without_its_required_keys(command: str) -> None:
    assert review("--cfg", "job", command=command).problems == []


@pytest.mark.parametrize("command", ["evaluate", "predict", "export", "compare"])
def test_a_required_key_is_named(command: str) -> None:
    key = "runs" if command == "compare" else "run"
    assert any(p.startswith(f"{key}: required") for p in problems_of(command=command))


def test_classes_can_be_given_to_a_folder() -> None:
    composed = review(
        "dataset=folder", "dataset.root=x", "dataset.classes={cytoplasm: 128, nucleus: 255}"
    ).configurations
    assert composed[0].model.out_channels == 3


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
    own = ["--config-dir", str(tmp_path / "conf")]
    assert review(*own, "loss=mine").configurations[0].loss._target_ == "my_loss.MyLoss"
    problems = problems_of(*own, "loss=mine", "loss.alpha=x")
    assert problems == ["loss.alpha='x': must be float"]
    assert "nearest: mine)" in problems_of(*own, "loss=mime")[0]


def test_a_choice_that_is_not_there_tells_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert problems_of("loss=mine")[0].endswith("--config-dir DIR")
    (tmp_path / "my_conf" / "loss").mkdir(parents=True)
    (tmp_path / "my_conf" / "loss" / "mine.yaml").write_text("_target_: torch.nn.BCELoss\n")
    assert problems_of("loss=mine")[0].endswith("--config-dir my_conf")
    assert review("loss=mine", "--config-dir", "my_conf", "--cfg", "job").problems == []
    assert "--config-dir" not in problems_of("loss=mime", "--config-dir", "my_conf")[0]


@pytest.mark.parametrize(
    "value", [r"Image_(\d+)", r"(.+?)[-_ ]*\d*\.\w+$", "it's (a) file", "a b\\", r"c:\x (1)\'s"]
)
def test_a_value_with_brackets_and_backslashes_arrives_as_it_was_typed(value: str) -> None:
    result = review("dataset=folder", "dataset.root=x", f"dataset.image_suffix={value}")
    assert result.configurations[0].dataset.image_suffix == value


def test_each_command_has_its_own_keys(tmp_path: Path) -> None:
    problems = problems_of("runs=x", "seed=3", command="compare")
    assert [problem.startswith("seed: ") for problem in problems] == [True]
    two = f"run=[{tmp_path},{tmp_path}]"
    result = review(two, "input=x", "output=y", command="predict").configurations
    assert result[0].run == [str(tmp_path), str(tmp_path)]
    problems = problems_of(two, command="evaluate")
    assert [problem.startswith("run=[") for problem in problems] == [True]


@pytest.mark.parametrize(
    ("argv", "sweeper"),
    [
        (["--multirun", "seed=1,2"], "SegGridSweeper"),
        (["--multirun", "seed=1,2", "hydra/sweeper=basic"], "SegGridSweeper"),
        (["sweep=documents"], "SegGridSweeper"),
        (["sweep=optuna", "optimizer.lr=interval(1e-5,1e-3)"], "SegOptunaSweeper"),
        (["sweep=recipes", "experiment=custom_best", "dataset.root=."], "SegOptunaSweeper"),
    ],
)
def test_a_sweep_runs_by_a_sweeper_of_ours(argv: list[str], sweeper: str) -> None:
    assert review(*argv).sweeper.rpartition(".")[2] == sweeper


def test_an_index_into_a_list_is_a_key() -> None:
    result = review("augmentation.transforms.0.p=0.3")
    assert result.configurations[0].augmentation.transforms[0].p == 0.3
    (problem,) = problems_of("augmentation.transforms.0.pp=0.3")
    assert problem.startswith("augmentation.transforms.0.pp: ")
    assert "augmentation.transforms.0.p" in problem


def test_a_key_is_deleted_and_one_that_is_not_there_is_refused():
    (cfg,) = review("~loss.terms.bce").configurations
    assert list(cfg.loss.terms) == ["dice"]
    assert "terms.bcee" in problems_of("~loss.terms.bcee")[0]


def test_the_list_of_losses_of_earlier_versions_takes_the_place_of_the_terms():
    losses = "[{_target_: seg.losses.bce.BCELoss, pos_weight: 2.0}]"
    (cfg,) = review(f"loss.losses={losses}").configurations
    assert make_loss(cfg.loss, channels=1, overlap=False).losses[0].pos_weight == 2
    assert "takes no such key" in problems_of("loss=dice", f"loss.losses={losses}")[0]
    (cfg,) = review("loss.weights=[1,0.5]").configurations
    assert make_loss(cfg.loss, channels=1, overlap=False).weights == [1, 0.5]


def test_a_glob_is_the_choices_that_it_stands_for() -> None:
    result = review("--multirun", "loss=glob(b*)")
    assert result.problems == []
    names = {cfg.name.rpartition("-")[2] for cfg in result.configurations}
    assert names == {"bce", "bce_dice", "boundary"}


@pytest.mark.parametrize("key", ["image_size", "normalize", "split.test"])
def test_a_key_that_an_evaluation_reads_from_the_checkpoint_is_refused(key: str) -> None:
    lines = ["run=.", "dataset=synthetic", f"dataset.{key}=0.2"]
    assert any(p.startswith(f"dataset.{key}: ") for p in problems_of(*lines, command="evaluate"))
    (problem,) = problems_of("run=.", "dataset=synthetic", "split=val", command="evaluate")
    assert problem.startswith("split=val: ")
