"""The keys of hydra.sweeper, and the objectives among them."""

import csv
import json
import sys

import pytest
import yaml

from seg.cli import compose
from seg.cli.compose import ConfigError
from seg.runs.folder import RunFolder
from seg.sweeps.search import options, study
from seg.training import pruning


def _given(**changed):
    text = (compose.CONF_DIR / "hydra" / "sweeper" / "seg_optuna.yaml").read_text()
    return {k: v for k, v in yaml.safe_load(text).items() if k != "_target_"} | changed


def test_the_options_as_shipped_are_sound():
    assert options.read(_given()).objectives == ["val/dice"]


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("n_trials", 0, "from 1"),
        ("n_jobs", 1.5, "from 1"),
        ("cpu_minutes", 0, "above 0"),
        ("seed", -1, "from 0"),
        ("sampler", "tep", "tpe, random"),
        ("pruner", "mean", "median, hyperband, none"),
        ("storage", 3, "a URL"),
        ("objectives", [], "at least one"),
        ("objectives", ["test/dice"], "must not choose"),
        ("objectives", ["val/dice", "test/iou"], "must not choose"),
        ("objectives", ["train/dice"], "no such figure"),
        ("objectives", ["val/hue"], "no such figure"),
        ("objectives", ["val/dice", "val/dice"], "twice"),
        ("n_trail", 3, "no such key"),
    ],
)
def test_a_bad_option_is_refused_with_its_key(key, value, word):
    with pytest.raises(ConfigError, match=key) as refused:
        options.read(_given(**{key: value}))
    assert word in str(refused.value)


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("val/dice", "maximize"),
        ("val/iou_positive", "maximize"),
        ("val/dice/lesion", "maximize"),
        ("val/loss", "minimize"),
        ("seconds", "minimize"),
        ("parameters", "minimize"),
        ("test/dice", None),
        ("lr", None),
    ],
)
def test_the_direction_follows_from_the_name(name, direction):
    assert options.direction(name) == direction


def test_figures_are_those_of_the_best_epoch_and_seconds_those_of_all(tmp_path):
    with (tmp_path / "metrics.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["epoch", "seconds", "val/dice", "val/loss"])
        writer.writerows([[1, 2.0, 0.3, 0.9], [2, 3.5, 0.6, 0.7], [3, 1.5, 0.5, 0.6]])
    # run.json of a run that was gone on with knows the seconds of its last part alone
    (tmp_path / "run.json").write_text('{"val/dice": 0.6, "seconds": 1.6}')
    names = ["val/dice", "val/loss", "seconds", "parameters"]
    values = options.read_objectives(names, RunFolder(tmp_path), parameters=1234)
    assert values == [0.6, 0.7, 7.0, 1234.0]


def test_a_figure_that_is_missing_or_no_number_is_named(tmp_path):
    (tmp_path / "run.json").write_text('{"val/dice": NaN}')
    with pytest.raises(ValueError, match="val/iou"):
        options.read_objectives(["val/iou"], RunFolder(tmp_path))
    with pytest.raises(ValueError, match="val/dice is nan"):
        options.read_objectives(["val/dice"], RunFolder(tmp_path))


def test_a_sampler_says_which_package_it_needs(monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.setattr(study.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install cmaes"):
        study.build_sampler("cmaes", startup_trials=1, seed=0)


def test_a_study_lies_in_the_sweeps_folder_or_where_it_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "sweep"
    assert study.address(None, folder) == str(folder / "study.db")
    assert study.address("all.log", folder) == str(tmp_path / "all.log")
    assert study.address("sqlite:///all.db", folder) == f"sqlite:///{tmp_path}/all.db"
    assert study.address("postgresql://u:p@host/db", folder) == "postgresql://u:p@host/db"


def test_a_study_that_is_shared_has_a_name_of_its_own_which_stays(tmp_path):
    (tmp_path / "a" / "x").mkdir(parents=True)
    (tmp_path / "b" / "x").mkdir(parents=True)
    first = study.study_name(tmp_path / "a" / "x", "all.log")
    assert study.study_name(tmp_path / "a" / "x", "all.log") == first
    assert study.study_name(tmp_path / "b" / "x", "all.log") != first
    assert json.loads((tmp_path / "a" / "x" / "study.json").read_text()) == {"study": first}


def test_a_search_without_optuna_says_which_extra_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install 'seg-med\[sweep\]'"):
        pruning.import_optuna()
