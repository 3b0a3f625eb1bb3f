"""Kill a real training again and again, and see what is left. python benchmarks/kills.py --data DIR

Every launch is the same command with resume=auto, killed with SIGKILL: at a random moment, from the
start of Python on, or when the temporary file of a checkpoint appears. After each kill every
checkpoint must load with weights_only=True, run.json must not say `running`, and no process may be
left. A run that finishes must have the metrics.csv of one that was left alone; it is put aside, and
the next begins.
"""

import argparse
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 120.0  # seconds before a random kill
SETTLE = 8.0  # seconds for the watcher and the loader's workers to notice a death


@dataclass
class Kill:
    """One kill, and what was left.

    Args:
        kind: random or aimed.
        after: seconds since the launch.
        done: epochs in metrics.csv.
        kept: epochs in last.ckpt.
        torn: whether a checkpoint was being written.
        wrong: broken promises.
    """

    kind: str
    after: float
    done: int
    kept: int
    torn: bool
    wrong: list[str]

    @property
    def lost(self) -> int:
        return max(self.done - self.kept, 0)


class Training:
    """One command, and the run folder that it is working on."""

    def __init__(self, overrides: list[str], output: Path) -> None:
        self.command = [sys.executable, "-m", "seg.train", *overrides, f"output_dir={output}"]
        self.output = output
        self.process: subprocess.Popen | None = None

    def launch(self) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        log = (self.output.parent / f"{self.output.name}.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [*self.command, "resume=auto"],
                env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def folder(self) -> Path | None:
        files = sorted(self.output.glob("*/*/run.json"))
        return files[-1].parent if files else None

    def temporaries(self) -> list[Path]:
        return list(self.output.glob("*/*/checkpoints/.*.ckpt.*"))

    def kill(self) -> bool:
        """Kill the process alone, as the kernel does; whether there was one to kill."""
        assert self.process is not None
        alive = self.process.poll() is None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return alive


def rows(folder: Path | None) -> list[dict[str, str]]:
    """metrics.csv without the column that is never the same."""
    path = folder / "metrics.csv" if folder else None
    if path is None or not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return [{k: v for k, v in r.items() if k != "seconds"} for r in csv.DictReader(handle)]


def wait_random(training: Training, moment: float) -> None:
    deadline = time.monotonic() + moment
    while time.monotonic() < deadline and training.process.poll() is None:
        time.sleep(0.001)


def wait_for_write(training: Training, write: int) -> None:
    """Until the `write`-th checkpoint of this launch begins to be written."""
    seen = {path.name for path in training.temporaries()}
    present: set[str] = set()
    folder = None
    while training.process.poll() is None:
        if folder is None:
            folder = next(training.output.glob("*/*/checkpoints"), None)
            continue
        now = {n for n in os.listdir(folder) if n.startswith(".") and n not in seen}
        write -= len(now - present)
        present = now
        if write <= 0:
            return


def inspect(training: Training, kind: str, after: float) -> Kill:
    """What a kill has left."""
    pid, wrong = training.process.pid, []
    torn = any(path.suffix == f".{pid}" for path in training.temporaries())
    deadline = time.monotonic() + SETTLE
    while (left := says_running(training) + processes(training.output)) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    wrong += left
    folder = training.folder()
    kept = 0
    for path in sorted(training.output.glob("*/*/checkpoints/**/*.ckpt")):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            wrong.append(f"{path.name} does not load: {error}")
            continue
        if path.name == "last.ckpt":
            kept = content["seg"]["position"]["epoch"]
    done = [int(row["epoch"]) for row in rows(folder)]
    if done != list(range(1, len(done) + 1)):
        wrong.append(f"the epochs of metrics.csv are {done}")
    kill = Kill(kind, round(after, 2), len(done), kept, torn, wrong)
    if kill.lost > 1:
        wrong.append(f"{kill.lost} epochs lost")
    if len(list(training.output.glob("*/*/metrics.csv"))) > 1:
        wrong.append(f"process {pid} began a run of its own")
    return kill


def says_running(training: Training) -> list[str]:
    folders = training.output.glob("*/*/run.json")
    statuses = [json.loads(path.read_text())["status"] for path in folders]
    return ["run.json says running"] if "running" in statuses else []


def processes(output: Path) -> list[str]:
    """The living processes that name the output folder."""
    left = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if str(output).encode() in words and path.parent.name != str(os.getpid()):
            left.append(f"process {path.parent.name} is left")
    return left


def finish(training: Training, expected: list[dict[str, str]], number: int) -> list[str]:
    """Check a run that ended by itself, and put it aside; returns what is wrong with it."""
    if training.process.returncode:
        return [f"exit {training.process.returncode}, see {training.output}.log"]
    folder, wrong = training.folder(), []
    if json.loads((folder / "run.json").read_text())["status"] != "finished":
        wrong.append("run.json does not say finished")
    if rows(folder) != expected:
        wrong.append(f"metrics.csv differs from the uninterrupted run's: {folder}")
    if training.temporaries():
        wrong.append("temporary files are left")
    aside = training.output.parent / "finished"
    aside.mkdir(exist_ok=True)
    folder.rename(aside / str(number))
    return wrong


def parse() -> tuple[argparse.Namespace, list[str]]:
    """The arguments, and the overrides of every training."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="images/ and masks/; without it, pictures made here")
    parser.add_argument("--random", type=int, default=50, help="kills at a random moment")
    parser.add_argument("--aimed", type=int, default=20, help="kills at a checkpoint's write")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--output", type=Path, help="an empty folder; a temporary one without it")
    parser.add_argument("--json", type=Path, help="where to write the result")
    arguments, overrides = parser.parse_known_args()
    output = (arguments.output or Path(tempfile.mkdtemp(prefix="kills-"))).absolute()
    output.mkdir(parents=True, exist_ok=True)
    arguments.output = output
    if arguments.data:
        chosen = any(o.startswith("dataset=") for o in overrides)
        source = [] if chosen else ["dataset=folder"]
        overrides = [*source, f"dataset.root={Path(arguments.data).absolute()}", *overrides]
    else:
        overrides = [*overrides, f"dataset.root={output / 'data'}"]
    return arguments, [*overrides, f"dataset.cache_dir={output / 'cache'}"]


def run_alone(overrides: list[str], output: Path) -> tuple[list[dict[str, str]], float]:
    """The metrics.csv of a run that nobody kills, and its seconds."""
    print(f"the uninterrupted run, in {output}", flush=True)
    alone = Training(overrides, output / "alone")
    started = time.monotonic()
    alone.launch()
    if alone.process.wait():
        sys.exit(f"it ends with {alone.process.returncode}, see {output / 'alone.log'}")
    return rows(alone.folder()), time.monotonic() - started


def main() -> int:
    arguments, overrides = parse()
    expected, whole = run_alone(overrides, arguments.output)
    moments = random.Random(arguments.seed)
    kinds = ["random"] * arguments.random + ["aimed"] * arguments.aimed
    moments.shuffle(kinds)
    training = Training(overrides, arguments.output / "killed")
    kills: list[Kill] = []
    wrong: list[str] = []
    finished = 0
    print("  #  kind    after s  epochs done  kept  lost  torn  wrong", flush=True)
    while len(kills) < len(kinds):
        kind = kinds[len(kills)]
        started = time.monotonic()
        training.launch()
        if kind == "random":
            wait_random(training, moments.uniform(0, min(whole, LONGEST)))
        else:
            wait_for_write(training, moments.randint(1, 4))
        if not training.kill():  # it was through before
            wrong += finish(training, expected, finished)
            finished += 1
            if training.process.returncode:
                break
            continue
        kill = inspect(training, kind, time.monotonic() - started)
        kills.append(kill)
        print(
            f"{len(kills):3}  {kind:6} {kill.after:8.2f}  {kill.done:11}  {kill.kept:4}  "
            f"{kill.lost:4}  {'yes' if kill.torn else '':4}  {'; '.join(kill.wrong)}",
            flush=True,
        )
    if not wrong and training.folder() is not None:
        training.launch()
        training.process.wait()
        wrong += finish(training, expected, finished)
        finished += 1
    wrong += [word for kill in kills for word in kill.wrong]
    result = {
        "kills": len(kills),
        "random": sum(kill.kind == "random" for kill in kills),
        "aimed": sum(kill.kind == "aimed" for kill in kills),
        "during a write": sum(kill.torn for kill in kills),
        "epochs lost at most": max((kill.lost for kill in kills), default=0),
        "runs finished": finished,
        "equal to the uninterrupted run": not any("differs" in word for word in wrong),
        "wrong": wrong,
        "each": [asdict(kill) for kill in kills],
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "each"}, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
