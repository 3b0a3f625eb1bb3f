"""A sweep beside the same runs in other ways: one by one, or its jobs one after another.

python benchmarks/sweep.py [--jobs 10] [--rounds 2] [--against commands|one_job] [key=value ...]
python benchmarks/sweep.py --growth --jobs 200 [key=value ...]

Against `commands`: single commands on the same configurations (seeds); imports and decoding are
paid once in a sweep. Against `one_job`: the sweep with hydra.launcher.jobs=1. Whole commands in
alternating rounds; the ratio of each round's times is printed, and their median. Validation Dice
must agree, run by run, for the same number of threads.

With --growth: one sweep; for every 50 jobs the seconds that a job takes beyond its own training,
and the memory of the process that starts them (kB, resident).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVERY = 50  # jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--against", choices=["commands", "one_job"], default="commands")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--json", type=Path, help="file for every round's ratio")
    parser.add_argument("overrides", nargs="*", help="passed on to seg.train")
    arguments = parser.parse_intermixed_args()
    if arguments.growth:
        growth(arguments.jobs, arguments.overrides)
        return
    seeds = range(arguments.jobs)
    multirun = ["--multirun", f"seed={','.join(map(str, seeds))}"]
    kinds = ["sweep", arguments.against]
    ratios = []
    for number in range(arguments.rounds):
        folder = Path(tempfile.mkdtemp(prefix="seg-sweep-"))
        seconds = {}
        for kind in kinds[:: 1 if number % 2 == 0 else -1]:
            begun = time.perf_counter()
            if kind == "commands":
                for seed in seeds:
                    train(folder / kind, f"seed={seed}", *arguments.overrides)
            else:
                one = ["hydra.launcher.jobs=1"] if kind == "one_job" else []
                train(folder / kind, *multirun, *one, *arguments.overrides)
            seconds[kind] = time.perf_counter() - begun
        ours, theirs = (scores(folder / kind) for kind in kinds)
        apart = max(abs(ours[seed] - theirs[seed]) for seed in seeds)
        ratios.append(seconds[arguments.against] / seconds["sweep"])
        print(
            f"round {number + 1}: {arguments.jobs} jobs, {arguments.against} "
            f"{seconds[arguments.against]:.1f} s, sweep {seconds['sweep']:.1f} s, ratio "
            f"{ratios[-1]:.2f}, validation Dice at most {apart:.2g} apart",
            flush=True,
        )
        shutil.rmtree(folder)
    print(f"median ratio {statistics.median(ratios):.2f}")
    if arguments.json is not None:
        name = f"{arguments.jobs} jobs, times as fast as against {arguments.against}"
        text = json.dumps({"by_round": {name: ratios}}, indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")


def growth(count: int, overrides: list[str]) -> None:
    """Print what each job costs beside its training, and the memory of the sweep's process."""
    folder = Path(tempfile.mkdtemp(prefix="seg-sweep-"))
    seeds = ",".join(map(str, range(count)))
    with start(folder, "--multirun", f"seed={seeds}", *overrides) as process:
        seen, begun = 0, time.perf_counter()
        while process.poll() is None:
            done = scores(folder)
            if len(done) // EVERY > seen:
                seen = len(done) // EVERY
                now = time.perf_counter()
                print(
                    f"{len(done)} jobs: {(now - begun) / EVERY:.2f} s for each of {EVERY}, "
                    f"its own {statistics.mean(seconds_of(folder, EVERY)):.2f} s, "
                    f"{resident(process.pid)} kB",
                    flush=True,
                )
                begun = now
            time.sleep(1)
    print(f"the leaderboard after the last job: {time.perf_counter() - begun:.1f} s or less")
    shutil.rmtree(folder)


def start(output: Path, *overrides: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "seg.train", f"output_dir={output}", *overrides],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def train(output: Path, *overrides: str) -> None:
    if start(output, *overrides).wait():
        sys.exit(f"seg.train {' '.join(overrides)} failed")


def facts_of(output: Path) -> list[dict]:
    found = []
    for path in output.glob("**/run.json"):
        facts = json.loads(path.read_text())
        if facts["status"] == "finished":
            found.append(facts)
    return found


def scores(output: Path) -> dict[int, float]:
    return {facts["seed"]: facts["val/dice"] for facts in facts_of(output)}


def seconds_of(output: Path, count: int) -> list[float]:
    return [f["seconds"] for f in sorted(facts_of(output), key=lambda f: f["started"])[-count:]]


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


if __name__ == "__main__":
    main()
