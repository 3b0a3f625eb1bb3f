"""Which folder a sweep's command works in."""

from pathlib import Path

import pytest

from seg.sweeps import folder as sweeps
from seg.sweeps.folder import Job, folder_name


def fresh(parent: Path) -> Path:
    parent.mkdir(exist_ok=True)
    made = parent / f"{len(list(parent.iterdir())):03d}"
    made.mkdir()
    return made


def opened(root: Path, who: list[str], which: str | None = None, busy: tuple[str, ...] = ()) -> str:
    def acquire(folder: Path) -> object | None:
        return None if folder.name in busy else object()

    folder, held = sweeps.open_folder(which, who, root, acquire=acquire, fresh=fresh)
    assert held is not None
    sweeps.begin(folder, who, who)
    return folder.name


def test_the_same_command_goes_on_until_the_sweep_is_complete(tmp_path: Path) -> None:
    assert opened(tmp_path, ["loss=a,b"]) == "000"
    assert opened(tmp_path, ["loss=a,b"]) == "000"
    assert opened(tmp_path, ["loss=a,c"]) == "001"
    sweeps.record(tmp_path / "000", complete=True)
    assert opened(tmp_path, ["loss=a,b"]) == "002"


def test_auto_finds_a_complete_one_and_never_starts_anew(tmp_path: Path) -> None:
    assert opened(tmp_path, ["x=1,2"], "auto") == "000"
    sweeps.record(tmp_path / "000", complete=True)
    assert next(sweeps.find("auto", ["x=1,2"], tmp_path)).name == "000"
    assert opened(tmp_path, ["x=1,2"], "never") == "001"
    assert opened(tmp_path, ["x=1,2"], "never") == "002"


def test_a_sweep_that_somebody_works_on_is_left_alone(tmp_path: Path) -> None:
    assert opened(tmp_path, ["x=1,2"]) == "000"
    assert opened(tmp_path, ["x=1,2"], busy=("000",)) == "001"
    with pytest.raises(ValueError, match="still running"):
        opened(tmp_path, ["x=1,2"], str(tmp_path / "000"), busy=("000",))


def test_a_folder_of_another_command_names_the_difference(tmp_path: Path) -> None:
    opened(tmp_path, ["loss=a,b", "seed=1"])
    with pytest.raises(ValueError, match=r"then seed=1; now seed=2"):
        opened(tmp_path, ["loss=a,b", "seed=2"], str(tmp_path / "000"))
    with pytest.raises(FileNotFoundError, match=r"no sweep\.json"):
        opened(tmp_path, ["loss=a,b"], str(tmp_path))


def test_where_it_runs_does_not_make_another_sweep() -> None:
    plain = sweeps.identity(["loss=a,b", "seed=1"], ["--multirun"])
    moved = ["seed=1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "loss=a,b",
             "resume=auto", "output_dir=elsewhere"]  # fmt: skip
    assert sweeps.identity(moved, ["-m"]) == plain
    assert sweeps.identity(["loss=a,b", "seed=1", "hydra.sweeper.n_trials=3"], []) == plain
    assert sweeps.identity(["loss=a,b", "seed=1", "hydra.sweeper.sampler=tpe"], []) != plain
    assert sweeps.identity(["loss=a,b", "seed=1"], ["--config-dir", "x"]) != plain


def test_jobs_are_named_once_with_what_sets_them_apart(tmp_path: Path) -> None:
    sweeps.begin(tmp_path, ["a"], ["a"])
    sweeps.record(tmp_path, constant=["seed=1"])
    jobs = [Job(n, ("seed=1", f"loss={n}"), tmp_path / f"{n}_x") for n in range(3)]
    sweeps.add_jobs(tmp_path, jobs[1:])
    sweeps.add_jobs(tmp_path, jobs)
    named = sweeps.read(tmp_path)["jobs"]
    assert [job["number"] for job in named] == [0, 1, 2]
    assert named[2] == {"number": 2, "overrides": ["loss=2"], "folder": "2_x"}


def test_a_folder_is_named_by_number_and_what_sets_the_job_apart() -> None:
    assert folder_name(3, ["optimizer=adam", "loss=bce"]) == "3_loss=bce,optimizer=adam"
    assert folder_name(0, []) == "0"


@pytest.mark.parametrize("value", ["/a/b", "{a: 1}", "'x y'", "${oc.env:HOME}", "..\\c", "ü" * 300])
def test_a_name_fits_a_file_system_and_hydras_grammar(value: str, tmp_path: Path) -> None:
    name = folder_name(3, [f"dataset.root={value}"])
    (tmp_path / name).mkdir()
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    assert not set("'\"${}\\/") & set(name)


@pytest.mark.parametrize("key", ["n_trials", "cpu_minutes"])
def test_a_complete_search_of_which_more_is_wanted_goes_on(tmp_path: Path, key: str) -> None:
    def search(count: int | None, which: str | None = None) -> str:
        lines = ["lr=choice(1,2)", *([f"hydra.sweeper.{key}={count}"] if count else [])]
        who = sweeps.identity(lines, [])
        folder, _ = sweeps.open_folder(
            which, who, tmp_path, overrides=lines, acquire=lambda _: object(), fresh=fresh
        )
        done = sweeps.is_complete(folder, lines)
        sweeps.begin(folder, who, lines)
        sweeps.record(folder, complete=True)
        return f"{folder.name} {'done' if done else 'goes on'}"

    assert [search(3), search(5)] == ["000 goes on", "000 goes on"]
    assert search(5, "auto") == "000 done"
    assert search(8, "auto") == "000 goes on"
    assert search(9, str(tmp_path / "000")) == "000 goes on"
    assert search(9) == "001 goes on"  # the same command again is another search
