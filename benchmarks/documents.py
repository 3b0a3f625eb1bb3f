"""The documents' own values to their end, and our recipes beside them: trained, scored, compared.

    python benchmarks/documents.py --kvasir Kvasir-SEG --lgg kaggle_3m --output documents \\
        [--minutes 8] [--only kvasir kvasir_best_gpu] [--dry-run]

Trainings run one after another, on the GPU where there is one. Those that do not fit into the
minutes are named and left out; the same command later goes on with them. `--dry-run` trains two
epochs at 32x32 with narrow networks, which shows in minutes of a CPU that all of it works. The
figures are those of seg.evaluate at the masks' own size, our recipes' with test-time augmentation
too.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDS = 4


@dataclass(frozen=True)
class Training:
    """One run of the table."""

    experiment: str
    data: str  # which of the options names its folder
    fold: int | None = None

    @property
    def name(self) -> str:
        return self.experiment if self.fold is None else f"{self.experiment}-{self.fold}"

    @property
    def ours(self) -> bool:
        return "_best" in self.experiment


def plan() -> list[Training]:
    """What is most worth knowing comes first."""
    return [
        Training("kvasir", "kvasir"),
        Training("kvasir_best_gpu", "kvasir"),
        *(Training("lgg", "lgg", fold) for fold in range(FOLDS)),
        *(Training("lgg_best_gpu", "lgg", fold) for fold in range(FOLDS)),
        Training("hyperkvasir", "kvasir"),
        Training("hyperkvasir_best_gpu", "kvasir"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kvasir", help="Kvasir-SEG, or the segmented images of HyperKvasir")
    parser.add_argument("--lgg", help="kaggle_3m or its parent")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--only", nargs="*", help="experiments, such as kvasir_best_gpu")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    runs: dict[Training, Path] = {}
    for training in plan():
        root = getattr(options, training.data)
        if root is None or (options.only and training.experiment not in options.only):
            continue
        folder = options.output / training.name
        keys = [f"experiment={training.experiment}", f"dataset.root={Path(root).resolve()}"]
        keys += [f"output_dir={folder.resolve()}", f"seed={options.seed}", "panels_every=50"]
        if training.fold is None:  # one split for all, so that they can be compared
            keys += ["dataset.split.val=0.15", "dataset.split.test=0.15"]
        else:
            keys += [f"dataset.split.folds={FOLDS}", f"dataset.split.fold={training.fold}"]
        if options.dry_run:
            keys += small(training)
        run = finished(folder, keys, end, views=training.ours)
        if run is None:
            print(f"{training.name}: no time was left", flush=True)
            continue
        print(f"{training.name}: {run}", flush=True)
        runs[training] = run
    compare(runs, options.output.resolve())


def small(training: Training) -> list[str]:
    keys = ["dataset.image_size=32", "trainer.max_epochs=2"]
    keys += [] if training.ours else ["model.width=4"]
    return [*keys, "stages.dice.max_epochs=1"] if training.experiment == "hyperkvasir" else keys


def finished(folder: Path, keys: list[str], end: float, *, views: bool) -> Path | None:
    """The finished and scored run below `folder`; None where the time ended.

    views: also with test-time augmentation, for networks that were trained with flips and turns.
    """
    log = folder.with_suffix(".log")
    trained = bool(list(folder.glob("*/*/test.json")))
    if not trained and not call(["seg.train", "resume=auto", *keys], log, end):
        return None
    run = next(folder.glob("*/*/test.json")).parent
    for name, more in (("test", []), ("test-tta", ["tta=true"]))[: 1 + views]:
        done = (run / "evaluate" / name / "test.json").is_file()
        if not done and not call(["seg.evaluate", f"run={run}", *more], log, end):
            return None
    return run


def call(arguments: list[str], log: Path, end: float) -> bool:
    """Run a command of seg with its output in a file; False where it did not end in time."""
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("a") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=file, stderr=file, env=environment
        )
        try:
            code = process.wait(timeout=max(0.0, min(end - time.monotonic(), 1e6)))
        except subprocess.TimeoutExpired:
            process.terminate()  # the checkpoint of its last epoch stays
            process.wait()
            return False
    if code:
        raise SystemExit(f"{log}: {log.read_text()[-2000:]}")
    return True


def compare(runs: dict[Training, Path], output: Path) -> None:
    """The minutes of each training, and for each data set what seg.compare says of its runs."""
    for training, run in runs.items():
        facts = json.loads((run / "run.json").read_text())
        print(f"{training.name}: {facts['seconds'] / 60:.1f} minutes on {facts['device']}")
    for data in dict.fromkeys(training.data for training in runs):
        for name in ("test", "test-tta"):
            found = [run for training, run in runs.items() if training.data == data]
            found = [str(run) for run in found if (run / "evaluate" / name).is_dir()]
            where = output / f"compare-{data}-{name}"
            command = ["seg.compare", f"runs=[{','.join(found)}]", f"source=evaluate/{name}"]
            if found:
                subprocess.run(
                    [sys.executable, "-m", *command, f"output={where}"], cwd=ROOT, check=True
                )


if __name__ == "__main__":
    main()
