"""A sweep beside the same runs started one by one: imports and decoding are paid once.

python benchmarks/sweep.py [--jobs 10] [--rounds 2] [key=value ...]

Both are whole commands on the same configurations (seeds), in alternating rounds; the ratio of each
round's times is printed, and their median. Validation Dice must agree, run by run.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("overrides", nargs="*", help="passed on to seg.train")
    arguments = parser.parse_intermixed_args()
    seeds = range(arguments.jobs)
    ratios = []
    for number in range(arguments.rounds):
        folder = Path(tempfile.mkdtemp(prefix="seg-sweep-"))
        orders = [("sweep", "single"), ("single", "sweep")][number % 2]
        seconds = {}
        for kind in orders:
            begun = time.perf_counter()
            if kind == "sweep":
                train(folder / kind, "--multirun", f"seed={','.join(map(str, seeds))}",
                      *arguments.overrides)  # fmt: skip
            else:
                for seed in seeds:
                    train(folder / kind, f"seed={seed}", *arguments.overrides)
            seconds[kind] = time.perf_counter() - begun
        agree = scores(folder / "sweep") == scores(folder / "single")
        ratios.append(seconds["single"] / seconds["sweep"])
        print(
            f"round {number + 1}: {arguments.jobs} single commands {seconds['single']:.1f} s, one "
            f"sweep {seconds['sweep']:.1f} s, ratio {ratios[-1]:.2f}, "
            f"validation Dice {'equal' if agree else 'NOT EQUAL'}"
        )
        shutil.rmtree(folder)
    print(f"median ratio {statistics.median(ratios):.2f}")


def train(output: Path, *overrides: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "seg.train", f"output_dir={output}", *overrides],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )


def scores(output: Path) -> dict[int, float]:
    found = (json.loads(path.read_text()) for path in output.rglob("run.json"))
    return {facts["seed"]: facts["val/dice"] for facts in found}


if __name__ == "__main__":
    main()
