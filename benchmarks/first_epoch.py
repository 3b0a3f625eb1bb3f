"""Seconds of the first epoch beside those after it. python benchmarks/first_epoch.py [KEY=VALUE ...]

A whole seg.train, long enough for all that pays in long trainings alone, ended after a few epochs.
The keys are those of seg.train: dataset=folder dataset.root=DIR dataset.image_size=352 model.width=32
"""  # noqa: E501

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 4


def epochs(folder: Path) -> list[float]:
    """Seconds of the epochs that a training has finished."""
    for path in folder.glob("first-epoch/*/metrics.csv"):
        with path.open(encoding="utf-8", newline="") as table:
            return [float(row["seconds"]) for row in csv.DictReader(table)]
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=300, help="seconds to wait for the epochs")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("overrides", nargs="*", help="passed on to seg.train")
    arguments = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory(prefix="seg-first-epoch-") as folder:
        command = [
            sys.executable, "-m", "seg.train", "trainer.max_epochs=10000", "name=first-epoch",
            f"output_dir={folder}", *arguments.overrides,
        ]  # fmt: skip
        job = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + arguments.limit
        try:
            while len(seconds := epochs(Path(folder))) < EPOCHS:
                if job.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{len(seconds)} epochs in {arguments.limit:.0f} s: {command}")
                time.sleep(0.2)
        finally:
            job.terminate()  # it saves and ends
            job.wait()
    first, steady = seconds[0], statistics.median(seconds[1:])
    print(f"first epoch {first:.1f} s, then {steady:.1f} s: {first - steady:.1f} s more")
    if arguments.json is not None:
        by_round = {"first epoch, s": [first], "epochs after it, s": seconds[1:]}
        text = json.dumps({"by_round": by_round}, indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
