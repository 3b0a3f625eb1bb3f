"""Sweeps from the command line to the leaderboard."""

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.commands import begun, environment_of, forked

pytestmark = pytest.mark.usefixtures("without_pictures")

ROOT = Path(__file__).resolve().parents[1]


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return forked("train", *arguments, cwd=cwd)


def only_sweep(cwd: Path) -> Path:
    (folder,) = (cwd / "outputs" / "multirun").iterdir()
    return folder


def statuses(cwd: Path) -> dict[str, str]:
    files = (cwd / "outputs" / "multirun").glob("*/*/run.json")
    found = {}
    for file in files:
        try:
            found[file.parent.name] = json.loads(file.read_text())["status"]
        except ValueError:
            continue
    return found


def wait_until(condition, seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def test_bad_and_failing_jobs_leave_the_others_as_they_would_be_alone(
    tmp_path: Path, tiny: list[str]
) -> None:
    # 5e30 passes check, and makes the loss overflow in its job alone
    options = [*tiny, "optimizer=sgd", "trainer.max_epochs=1", "trainer.precision=32",
               "model.norm=none"]  # fmt: skip
    done = command(*options, "--multirun", "optimizer.lr=5e30,-1,1e-2", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    sweep = only_sweep(tmp_path)
    names = [f"{i}_optimizer.lr={v}" for i, v in enumerate(("5e+30", "-1", "0.01"))]
    assert statuses(tmp_path) == dict(zip(names, ("failed", "failed", "finished"), strict=True))
    rows = {row["run"]: row for row in csv.DictReader((sweep / "leaderboard.csv").open())}
    assert set(rows) == set(names)
    assert "must be a number from 0" in rows[names[1]]["error"]
    assert "loss is" in rows[names[0]]["error"]
    assert all(name in done.stdout for name in names[:2])
    assert (sweep / "leaderboard.html").stat().st_size > 1000
    assert "Traceback" not in done.stderr

    alone = command(*options, "optimizer.lr=1e-2", "output_dir=solo", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    (solo,) = (tmp_path / "solo").glob("*-*/*")
    keep = [c for c in _metrics(solo)[0] if c != "seconds"]
    assert [[row[c] for c in keep] for row in _metrics(solo)] == [
        [row[c] for c in keep] for row in _metrics(sweep / names[2])
    ]
    for name in names:  # HParams, of those that failed as well
        tags = EventAccumulator(str(sweep / name)).Reload().summary_metadata
        assert "_hparams_/session_start_info" in tags, name


def _metrics(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metrics.csv").open()))


def test_a_complete_sweep_says_so_and_the_plain_command_starts_a_new_one(
    tmp_path: Path, tiny: list[str]
) -> None:
    options = [*tiny, "--multirun", "trainer.max_epochs=1", "loss=bce"]
    assert command(*options, cwd=tmp_path).returncode == 0
    made = only_sweep(tmp_path)
    again = command(*options, "resume=auto", cwd=tmp_path)
    assert again.returncode == 0
    assert f"{made} is finished; nothing to do" in again.stderr
    assert command(*options, cwd=tmp_path).returncode == 0
    assert len(list(made.parent.iterdir())) == 2


def test_several_devices_in_a_sweep_are_refused(tmp_path: Path) -> None:
    done = command("--multirun", "seed=1,2", "trainer=ddp", cwd=tmp_path)
    assert done.returncode == 1
    assert "hydra.launcher.jobs" in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_one_configuration_is_shown_of_one_value(tmp_path: Path) -> None:
    done = command("--multirun", "seed=1,2", "--cfg", "job", cwd=tmp_path)
    assert done.returncode == 1
    assert "seed=1,2: --cfg shows one configuration" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_was_killed_runs_only_what_is_missing(
    tmp_path: Path, tiny: list[str], number: signal.Signals
) -> None:
    options = [*tiny, "--multirun", "loss=bce,dice", "trainer.max_epochs=40",
               "hydra.launcher.jobs=1"]  # fmt: skip
    process = begun("train", *options, cwd=tmp_path)

    def second_has_begun() -> bool:
        files = (tmp_path / "outputs" / "multirun").glob("*/1_*/checkpoints/last.ckpt")
        return next(files, None) is not None

    wait_until(second_has_begun)
    process.send_signal(number)
    process.communicate(timeout=120)
    expected = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}
    assert process.returncode == expected[number]
    sweep = only_sweep(tmp_path)
    wait_until(lambda: statuses(tmp_path)["1_loss=dice"] == "interrupted")
    assert statuses(tmp_path)["0_loss=bce"] == "finished"
    if number != signal.SIGKILL:
        assert (sweep / "leaderboard.html").is_file()
    before = (sweep / "0_loss=bce" / "run.json").read_bytes()
    epochs = len(_metrics(sweep / "1_loss=dice"))
    again = command(*options, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert only_sweep(tmp_path) == sweep
    assert (sweep / "0_loss=bce" / "run.json").read_bytes() == before
    assert set(statuses(tmp_path).values()) == {"finished"}
    assert len(_metrics(sweep / "1_loss=dice")) == 40
    assert f"epoch {epochs:2d}/40" not in again.stderr or epochs == 40  # not from the start


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_jobs_side_by_side_save_when_the_sweep_is_killed_and_go_on(
    tmp_path: Path, tiny: list[str], number: signal.Signals
) -> None:
    options = [*tiny, "--multirun", "loss=bce,dice", "trainer.max_epochs=40",
               "hydra.launcher.jobs=2"]  # fmt: skip
    process = begun("train", *options, cwd=tmp_path)
    jobs = tmp_path / "outputs" / "multirun"
    wait_until(lambda: len(list(jobs.glob("*/*/checkpoints/last.ckpt"))) == 2)
    process.send_signal(number)
    process.communicate(timeout=120)
    wait_until(lambda: set(statuses(tmp_path).values()) == {"interrupted"}, 60)
    again = command(*options, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert list(statuses(tmp_path).values()) == ["finished"] * 2
    assert all(len(_metrics(job)) == 40 for job in only_sweep(tmp_path).glob("*_*"))


def test_the_figures_of_a_sweep_do_not_depend_on_how_many_jobs_run_at_a_time(
    tmp_path: Path, tiny: list[str]
) -> None:
    options = [*tiny, "--multirun", "loss=bce,dice", "seed=1,2", "trainer.max_epochs=1"]
    rows, folders = {}, {}
    for jobs in ("1", "3"):
        folder = tmp_path / jobs
        folder.mkdir()
        done = command(*options, f"hydra.launcher.jobs={jobs}", cwd=folder)
        assert done.returncode == 0, done.stderr
        sweep = only_sweep(folder)
        folders[jobs] = [
            job["folder"] for job in json.loads((sweep / "sweep.json").read_text())["jobs"]
        ]
        rows[jobs] = [
            [{k: v for k, v in row.items() if k != "seconds"} for row in _metrics(sweep / name)]
            for name in folders[jobs]
        ]  # fmt: skip
        logs = [(sweep / name / "log.txt").is_file() for name in folders[jobs]]
        assert logs == [jobs == "3"] * 4
        assert ("epoch 1/1" in done.stderr) is (jobs == "1")
    assert len(folders["1"]) == 4
    assert folders["1"] == folders["3"]
    assert rows["1"] == rows["3"]


@pytest.mark.parametrize("jobs", ["0", "many", "1.5"])
def test_a_number_of_jobs_that_is_none_is_refused(
    tmp_path: Path, tiny: list[str], jobs: str
) -> None:
    done = command(*tiny, "--multirun", "seed=1,2", f"hydra.launcher.jobs={jobs}", cwd=tmp_path)
    assert done.returncode == 1
    assert f"hydra.launcher.jobs={jobs}: must be auto" in done.stderr


@pytest.mark.slow
def test_a_killed_job_is_recorded_and_the_others_go_on(tmp_path: Path, tiny: list[str]) -> None:
    options = [*tiny, "--multirun", "loss=bce,dice", "trainer.max_epochs=40"]
    process = begun("train", *options, cwd=tmp_path)
    wait_until(lambda: statuses(tmp_path).get("0_loss=bce") == "running")
    facts = json.loads((only_sweep(tmp_path) / "0_loss=bce" / "run.json").read_text())
    assert facts["pid"] != process.pid
    os.kill(facts["pid"], signal.SIGKILL)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert statuses(tmp_path)["1_loss=dice"] == "finished", err
    assert statuses(tmp_path)["0_loss=bce"] in ("failed", "interrupted")
    assert "killed" in out


ENGINES = {
    "joblib": ("joblib", "hydra_plugins.hydra_joblib_launcher", ["hydra.launcher.n_jobs=2"]),
    "submitit": ("submitit_local", "hydra_plugins.hydra_submitit_launcher", []),
    "ray": ("ray", "hydra_plugins.hydra_ray_launcher", ["+hydra.launcher.ray.init.num_cpus=2"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_every_engine_runs_four_jobs_as_this_process_does(
    tmp_path: Path, tiny: list[str], engine: str
) -> None:
    name, package, more = ENGINES[engine]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    options = [*tiny, "--multirun", "loss=bce,dice", "optimizer=adam,adamw",
               "trainer.max_epochs=1"]  # fmt: skip
    here = command(*options, "output_dir=here", cwd=tmp_path)
    assert here.returncode == 0, here.stderr
    there = command(*options, f"hydra/launcher={name}", *more, cwd=tmp_path)
    assert there.returncode == 0, there.stderr
    ours, theirs = ({f.parent.name: json.loads(f.read_text())["val/dice"]
                     for f in (tmp_path / root / "multirun").glob("*/*/run.json")}
                    for root in ("here", "outputs"))  # fmt: skip
    assert len(ours) == 4
    assert ours == theirs


def resident(pid: int) -> int:
    """Kilobytes that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_stays_flat_over_thirty_jobs(tmp_path: Path, tiny: list[str]) -> None:
    seeds = ",".join(map(str, range(30)))
    options = [*tiny, "--multirun", f"seed={seeds}", "trainer.max_epochs=1"]
    # a new interpreter: beside the memory of a fork of this one, the growth would look small
    process = subprocess.Popen(
        [sys.executable, "-m", "seg.train", *options],
        cwd=tmp_path, env=environment_of(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    sizes: list[int] = []

    def more_jobs(count: int) -> bool:
        return sum(s == "finished" for s in statuses(tmp_path).values()) >= count

    for count in (5, 28):
        wait_until(lambda n=count: more_jobs(n), 400)
        sizes.append(resident(process.pid))
    assert process.wait(timeout=120) == 0
    assert sizes[1] < 1.03 * sizes[0], sizes
