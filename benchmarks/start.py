"""How long commands take to start, beside `import torch, pytorch_lightning`, each by turns.

python benchmarks/start.py [--rounds 3] [--json FILE]

A training is timed to its first step: with a new cache, and once more when the cache is there.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = ("train", "evaluate", "predict", "prepare", "compare", "export", "demo")
SMALL = ["dataset.patients=6", "dataset.frames=2", "dataset.size=48", "dataset.image_size=32",
         "model.width=4", "model.depth=2", "trainer=cpu", "trainer.max_epochs=1"]  # fmt: skip
REFUSED = {
    "unknown key": ["train", "optimzer=adam"],
    "unknown choice": ["train", "loss=dyce"],
    "wrong value": ["train", "trainer.max_epochs=0"],
    "missing key": ["train", "dataset=folder"],
    "unknown key of a class": ["train", "+optimizer.lrr=3"],
    "unknown class": ["train", "optimizer._target_=torch.optim.Adamm"],
    "flag of another tool": ["train", "--epochs", "3"],
    "no data": ["train", "dataset=folder", "dataset.root=none"],
    "no run to evaluate": ["evaluate", "run=."],
    "no run to export": ["export", "run=."],
    "no images": ["predict", "run=.", "input=none", "output=masks"],
}
BASE = "import torch, pytorch_lightning"
# name: the words after `python`, and the exit status
CALLS = {
    # beside a torchvision that does not fit torch, Lightning cannot be imported without `seg`
    BASE: (["-c", f"import seg; {BASE}"], 0),
    "python alone": (["-c", "pass"], 0),
    "import seg": (["-c", "import seg"], 0),
    **{f"seg.{name} --help": (["-m", f"seg.{name}", "--help"], 0) for name in COMMANDS},
    "--cfg job": (["-m", "seg.train", "--cfg", "job"], 0),
    **{
        f"refused: {name}": (["-m", f"seg.{command}", *words], 1)
        for name, (command, *words) in REFUSED.items()
    },
    "completion": (["-m", "seg", "--complete", "python -m seg.train dataset=kv"], 0),
}
LIMIT = 0.35  # of the import
FIRST_STEP = """
import os
from pytorch_lightning import Callback

class Stop(Callback):
    def on_before_optimizer_step(self, *arguments):
        os._exit(0)
"""


def seconds(words: list[str], status: int, folder: Path) -> float:
    """Wall time of one call of Python. Raises SystemExit where it ends otherwise."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=folder, check=False
    )
    taken = time.perf_counter() - start
    if done.returncode != status:
        raise SystemExit(f"{' '.join(words)[-200:]}: ended with {done.returncode}\n{done.stderr}")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    times: dict[str, list[float]] = {}
    # the watchdog of a run that was ended at its first step writes its status a second later
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "first_step.py").write_text(FIRST_STEP, encoding="utf-8")
        for number in range(args.rounds + 1):  # the first one reads the files from the disk
            calls = dict(CALLS)
            train = [*SMALL, f"dataset.cache_dir={folder}/cache{number}", f"output_dir={folder}"]
            train += ["+callbacks.stop._target_=first_step.Stop"]
            for which in ("new cache", "its cache there"):
                calls[f"first step, {which}"] = (["-m", "seg.train", *train], 0)
            for call, (words, status) in calls.items():
                taken = seconds(words, status, folder)
                if number:
                    times.setdefault(call, []).append(taken)
    middle = {call: statistics.median(several) for call, several in times.items()}
    base = middle[BASE]
    for call, taken in middle.items():
        print(f"{call:34} {taken:6.2f} s  {taken / base:5.2f} of the import")
    light = [c for c in middle if c.startswith(("seg.", "--cfg", "refused", "completion"))]
    worst = max(light, key=middle.__getitem__)
    alone = middle["import seg"] - middle["python alone"]
    most = f"{middle[worst] / base:.2f} ({worst})"
    print(f"\nhelp, refusals, completion: at most {most}, wanted {LIMIT}")
    print(f"import seg: {1000 * alone:.0f} ms, wanted 50")
    first = middle["first step, its cache there"] / base
    print(f"first step: {first:.2f} of the import, wanted 1.2")
    if args.json:
        ratios = [
            [t / b for t, b in zip(several, times[BASE], strict=True)] for several in times.values()
        ]
        figures = dict(zip((f"{call}, of the import" for call in times), ratios, strict=True))
        facts = {"by_round": figures, "seconds": times}
        args.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
