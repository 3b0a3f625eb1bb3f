"""Configurations of seg.train at equal CPU time: a leaderboard, and validation Dice over minutes.

    python benchmarks/equal_time.py --minutes 12 --seeds 42,43 --output equal_time \\
        --common "dataset=kvasir dataset.root=Kvasir-SEG augmentation=strong" \\
        --run unet "model=unet model.width=16" --run lite_unet "model=lite_unet"

Each configuration gets as many epochs as fit into the minutes: a training of one epoch tells what
one costs. With `--epochs N` all get N. Trainings use `--threads` each, and
`--jobs` of them run at a time. What is finished is not trained again. It ends with a table on the
console, the leaderboard of seg.compare in OUTPUT/compare, both at the masks' own size, and
OUTPUT/curves.png, at the networks'.
"""

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, help="CPU minutes of a training")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", default="42,43")
    parser.add_argument("--common", default="", help="overrides of all")
    parser.add_argument("--run", nargs=2, action="append", metavar=("NAME", "OVERRIDES"))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if not options.run or (options.minutes is None) == (options.epochs is None):
        parser.error("give --run at least once, and either --minutes or --epochs")

    def train(name: str, overrides: str, epochs: int, seed: str, folder: Path) -> Path:
        own = [*shlex.split(options.common), *shlex.split(overrides)]
        keys = [f"output_dir={folder}", f"name={name}-{seed}", f"seed={seed}"]
        keys.append(f"trainer.max_epochs={epochs}")
        return finished_run(folder / f"{name}-{seed}", [*own, *keys], options.threads)

    def train_for_minutes(name: str, overrides: str, seed: str) -> Path:
        epochs = options.epochs
        if epochs is None:
            once = train(name, overrides, 1, "0", options.output / "timing")
            facts, seconds = json.loads((once / "run.json").read_text()), read_metrics(once)[0]
            share = float(seconds["seconds"]) / facts["seconds"]
            rest = facts["cpu_seconds"] * (1 - share)  # start, test, files
            epochs = max(1, round((60 * options.minutes - rest) / (facts["cpu_seconds"] * share)))
        return train(name, overrides, epochs, seed, options.output / "runs")

    seeds = options.seeds.split(",")
    with ThreadPoolExecutor(options.jobs) as pool:
        if options.epochs is None:  # once for all seeds
            list(pool.map(lambda run: train_for_minutes(*run, seeds[0]), options.run))
        jobs = {
            name: [pool.submit(train_for_minutes, name, overrides, seed) for seed in seeds]
            for name, overrides in options.run
        }
        runs = {name: [job.result() for job in of] for name, of in jobs.items()}
    for name, folders in runs.items():
        dice = [own_size(folder)["metrics"]["dice"]["value"] for folder in folders]
        minutes = np.mean([cpu_seconds(f) for f in folders]) / 60
        epochs = len(read_metrics(folders[0]))
        each = " ".join(f"{value:.4f}" for value in dice)
        print(f"{name:30} {np.mean(dice):.4f} ({each})  {epochs} epochs  {minutes:.1f} CPU min")
    draw(runs).savefig(options.output / "curves.png", dpi=150)
    compare = ["-m", "seg.compare", f"runs={options.output / 'runs'}"]
    compare += [f"output={options.output / 'compare'}", "source=evaluate/test"]
    subprocess.run([sys.executable, *compare], cwd=ROOT, check=True)


def finished_run(folder: Path, overrides: Sequence[str], threads: int) -> Path:
    """The run folder with a test.json below `folder`; trained now if there is none."""
    if not list(folder.glob("*/test.json")):
        log = folder.with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        flags = [word for word in overrides if word.startswith("--")]  # argparse wants them first
        keys = [word for word in overrides if not word.startswith("--")]
        command = [sys.executable, "-m", "seg.train", *flags, "resume=auto", *keys]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        with log.open("w") as file:
            where = {"cwd": ROOT, "env": environment, "stdout": file, "stderr": file}
            done = subprocess.run(command, check=False, **where)
        if done.returncode:
            raise SystemExit(f"{log}: {log.read_text()[-2000:]}")
    return next(folder.glob("*/test.json")).parent


def own_size(run: Path) -> dict:
    """The figures of seg.evaluate: at the masks' own size, whatever size the network sees."""
    path = run / "evaluate/test/test.json"
    if not path.is_file():
        command = [sys.executable, "-m", "seg.evaluate", f"run={run}"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return json.loads(path.read_text())


def cpu_seconds(run: Path) -> float:
    return json.loads((run / "run.json").read_text())["cpu_seconds"]


def read_metrics(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def draw(runs: dict[str, list[Path]]) -> Figure:
    """Validation Dice of each epoch over CPU minutes; the band is from seed to seed."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, folders in runs.items():
        dice = np.array([[float(row["val/dice"]) for row in read_metrics(f)] for f in folders])
        end = np.mean([cpu_seconds(f) for f in folders]) / 60
        minutes = np.linspace(0, end, dice.shape[1] + 1)[1:]
        line = axes.plot(minutes, dice.mean(axis=0), label=name)[0]
        axes.fill_between(minutes, dice.min(axis=0), dice.max(axis=0), color=line.get_color(),
                          alpha=0.2, linewidth=0)  # fmt: skip
    axes.set(xlabel="CPU minutes", ylabel="Dice on the validation cases", xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


if __name__ == "__main__":
    main()
