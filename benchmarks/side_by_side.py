"""Two trainings at once beside one alone: images per second of all together.

    python benchmarks/side_by_side.py --data kvasir_seg_256 [--seconds 60] [--rounds 2] [KEY=VALUE]

A U-Net of width 16 at 128 px, with the threads that `seg.train` chooses (it shares the cores with
other processes), with all threads fixed, and with one thread each. Rounds alternate. The ratio to
one training alone tells what is lost; 1.0 is nothing.
"""

import argparse
import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORES = len(os.sched_getaffinity(0))
# trainings at once, and OMP_NUM_THREADS
WAYS = {
    "one": (1, None),
    "one, threads fixed": (1, CORES),
    "two": (2, None),
    "two, threads fixed": (2, CORES),
    "two, one thread each": (2, 1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0, help="after the first epoch")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for every round's figures")
    parser.add_argument("overrides", nargs="*", help="passed on to seg.train")
    arguments = parser.parse_intermixed_args()
    speeds: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(arguments.rounds):
        for name in list(WAYS)[:: 1 if number % 2 == 0 else -1]:
            speeds[name].append(images_per_second(*WAYS[name], arguments))
            print(f"round {number + 1}: {name:22} {speeds[name][-1]:6.1f} images/s", flush=True)
    alone = statistics.median(speeds["one, threads fixed"])
    for name, measured in speeds.items():
        median = statistics.median(measured)
        print(f"{name:22} {median:6.1f} images/s, {median / alone:.2f} of one with all threads")
    if arguments.json is not None:
        by_round = {
            f"{name}, of one training with all threads": [
                speed / one for speed, one in zip(values, speeds["one, threads fixed"], strict=True)
            ]
            for name, values in speeds.items()
        }
        text = json.dumps({"by_round": by_round}, indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")


def images_per_second(count: int, threads: int | None, arguments: argparse.Namespace) -> float:
    """Of `count` trainings at once, together, from whole epochs after the first of all."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    with tempfile.TemporaryDirectory(prefix="seg-side-by-side-") as folder:
        command = [
            sys.executable, "-m", "seg.train", "dataset=kvasir", f"dataset.root={arguments.data}",
            "dataset.image_size=128", "model.width=16", "trainer.max_epochs=1000", "trainer=cpu",
            f"output_dir={folder}", *arguments.overrides,
        ]  # fmt: skip
        jobs = [
            subprocess.Popen(
                [*command, f"name=job{i}"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
            )
            for i in range(count)
        ]
        try:
            ends: list[list[float]] = [[] for _ in jobs]  # of each job's epochs, in seconds
            begun = None  # when the last of them ended its first epoch
            together = [[] for _ in jobs]
            while min(map(len, together)) < 3 or time.perf_counter() - begun < arguments.seconds:
                time.sleep(0.05)
                for i, times in enumerate(ends):
                    if epochs(Path(folder), i) > len(times):
                        times.append(time.perf_counter())
                if begun is None and all(ends):
                    begun = time.perf_counter()
                if begun is not None:  # what a job did alone does not count
                    together = [[t for t in times if t >= begun - 1] for times in ends]
            return sum(280 * (len(times) - 1) / (times[-1] - times[0]) for times in together)
        finally:
            for job in jobs:
                job.send_signal(signal.SIGKILL)
                job.wait()


def epochs(folder: Path, job: int) -> int:
    """How many epochs a training has finished."""
    tables = list(folder.glob(f"job{job}/*/metrics.csv"))
    if not tables:
        return 0
    with tables[0].open(encoding="utf-8", newline="") as table:
        return len(list(csv.DictReader(table)))


if __name__ == "__main__":
    main()
