"""What grows with the number of images, and with their size.

python benchmarks/large_set.py [--images 1000 10000 100000] [--names 1000000] [--json FILE]
python benchmarks/large_set.py --large 20 --side 4000

The first prints seconds and memory of a set of 256-pixel images by its size: finding the pairs,
building the cache, starting with the cache there, and the first batch of an epoch. The files are
different contents as often as their number says, written once and each a file of its own; with
`--names`, empty files are paired by their names alone. The second trains on patches of large
images, whose memory must not grow with their number.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

FIELDS = ("RssAnon", "RssFile")  # of /proc: its own memory, and pages of files that can be given up
WORKERS, BATCH = 2, 32
SPLIT = {"val": 0.1, "test": 0.1, "by": "group", "seed": 0, "folds": None, "fold": None,
         "file": None, "duplicates": "refuse"}  # fmt: skip


def write_large(root: Path, *, count: int, side: int) -> None:
    """Pairs of images with bright discs of 40 to 120 pixels."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for i in range(count):
        mask = np.zeros((side, side), np.uint8)
        for _ in range(side // 40):
            x, y, radius = (int(n) for n in rng.integers((0, 0, 20), (side, side, 60)))
            cv2.circle(mask, (x, y), radius, 255, -1)
        coarse = rng.integers(0, 120, (side // 16, side // 16, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (side, side)) + (mask[..., None] > 0) * np.uint8(100)
        cv2.imwrite(str(root / "images" / f"{i:03d}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{i:03d}.png"), mask)


def write_small(root: Path, *, count: int, side: int = 256) -> None:
    """JPEG images of smooth noise, all different, and PNG masks of one disc each."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for i in range(count):
        rng = np.random.default_rng(i)
        coarse = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        x, y, radius = (int(n) for n in rng.integers((60, 60, 10), (side - 60, side - 60, 50)))
        mask = cv2.circle(np.zeros((side, side), np.uint8), (x, y), radius, 255, -1)
        cv2.imwrite(str(root / "images" / f"case_{i:06d}.jpg"), image)
        cv2.imwrite(str(root / "masks" / f"case_{i:06d}.png"), mask)


def write_names(root: Path, *, count: int) -> None:
    for name, suffix in (("images", ".jpg"), ("masks", ".png")):
        (root / name).mkdir(parents=True)
        for i in range(count):
            (root / name / f"case_{i:07d}{suffix}").touch()


def memory(process: int | str = "self") -> float:
    """MB that are a process's own: what it shares with others in shares (PSS), without files."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
    return sum(int(n) for n in re.findall(r"^Pss_Anon:\s+(\d+)", rollup, re.MULTILINE)) / 1024


class Peak:
    """The most memory of its own that this process has had, looked at ten times a second."""

    def __init__(self) -> None:
        self.largest, self.done = 0.0, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        while not self.done.wait(0.1):
            self.largest = max(self.largest, memory())

    def end(self) -> float:
        self.done.set()
        self.thread.join()
        return self.largest


def measure(what: str, root: Path, cache: Path, side: int) -> dict[str, float]:
    """Seconds and MB of one part, in a process of its own."""
    from seg.data.sources import read_pairs  # noqa: PLC0415 - torch is for the other parts
    from seg.data.sources.folder import Folder  # noqa: PLC0415

    source, facts = Folder(root=root), {}
    if what == "names":
        before, start = memory(), time.perf_counter()
        pairs, _ = read_pairs(source)
        facts["pairs"] = time.perf_counter() - start
        facts |= {"count": len(pairs), "pairs_mb": memory() - before}
        return facts
    import albumentations  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from seg.data.datamodule import SegmentationDataModule  # noqa: PLC0415

    torch.set_num_threads(1)
    before, peak, start = memory(), Peak(), time.perf_counter()
    data = SegmentationDataModule(
        source=source, image_size=side, channels=3, batch_size=BATCH, num_workers=WORKERS,
        split=SPLIT, normalize="dataset", cache_dir=str(cache),
        augmentation=albumentations.Compose([albumentations.HorizontalFlip()]),
    )  # fmt: skip
    data.setup()
    facts["setup"] = time.perf_counter() - start
    facts |= {"setup_mb": memory() - before, "setup_peak_mb": peak.end() - before}
    if what == "build":
        return facts
    start = time.perf_counter()
    data.describe(), data.missing_classes(), data.narrow_values(), data.statistics()
    data.fingerprint(), data.example()
    facts["facts_s"] = time.perf_counter() - start
    loader = data.train_dataloader()
    for number in range(2):
        loader.sampler.set_epoch(number)
        start, batches = time.perf_counter(), iter(loader)
        next(batches)
        facts[f"epoch_{number + 1}_start_s"] = time.perf_counter() - start
    seen = 1 + sum(1 for _ in batches)
    facts["images_per_s"] = seen * BATCH / (time.perf_counter() - start)
    facts["worker_mb"] = max(memory(worker.pid) for worker in batches._workers)
    facts["parent_mb"] = memory()
    return facts


def in_process(what: str, root: Path, cache: Path, side: int) -> dict[str, float]:
    words = [sys.executable, __file__, "--part", what, str(root), str(cache), str(side)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def grow(counts: list[int], side: int, folder: Path) -> dict[str, dict[str, float]]:
    """What each size takes; a line for each."""
    found = {}
    for count in counts:
        root, cache = folder / f"set{count}", folder / f"cache{count}"
        write_small(root, count=count)
        names = in_process("names", root, cache, side)
        build = in_process("build", root, cache, side)
        again = in_process("again", root, cache, side)
        shutil.rmtree(root)
        shutil.rmtree(cache)
        building = build["setup"] - again["setup"]
        found[f"{count} images"] = {
            "pairs_s": names["pairs"],
            "build_s": building,
            "build_images_per_s": count / building,
            "build_peak_mb": build["setup_peak_mb"],
            "again_s": again["setup"],
            "again_mb": again["setup_mb"],
            **{key: value for key, value in again.items() if not key.startswith("setup")},
        }
        print(f"{count} images:", _line(found[f"{count} images"]), flush=True)
    return found


def _line(facts: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.4g}" for key, value in facts.items())


def peaks(command: list[str]) -> dict[str, int]:
    """Run a command; the largest value of each field of its process, in MB."""
    process, largest = subprocess.Popen(command), dict.fromkeys(FIELDS, 0)
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        for field in FIELDS:
            match = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
            largest[field] = max(largest[field], int(match[1]) // 1024 if match else 0)
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(process.returncode)
    return largest


def train_large(folder: Path, *, count: int, side: int) -> dict[str, int]:
    write_large(folder / "set", count=count, side=side)
    largest = peaks([
        sys.executable, "-m", "seg.train", "dataset=folder", f"dataset.root={folder}/set",
        "dataset.image_size=null", "dataset.patch_size=256", "dataset.patches_per_image=4",
        "dataset.split.val=2", "dataset.split.test=2", "model.width=8", "trainer=cpu",
        "trainer.max_epochs=1", f"output_dir={folder}/out", "panels_every=1",
    ])  # fmt: skip
    decoded = count * side**2 * 4 / 2**20
    print(
        f"{count} images of {side}x{side}, decoded {decoded:.0f} MB; at most "
        f"{largest['RssAnon']} MB of its own memory, and {largest['RssFile']} MB of file pages"
    )
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="*", default=[1000, 10000])
    parser.add_argument("--names", type=int, help="also pair so many empty files by their names")
    parser.add_argument("--image-size", type=int, default=256, help="of the cache and the batches")
    parser.add_argument("--large", type=int, default=0, help="number of large images; no others")
    parser.add_argument("--side", type=int, default=4000, help="of the large images")
    parser.add_argument("--folder", type=Path, help="for the files, deleted in the end")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        what, root, cache, side = args.part
        print(json.dumps(measure(what, Path(root), Path(cache), int(side))))
        return
    facts: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as place:
        folder = Path(place)
        if args.large:
            name = f"{args.large} of {args.side} px"
            facts[name] = train_large(folder, count=args.large, side=args.side)
        else:
            facts |= grow(args.images, args.image_size, folder)
        if args.names:
            write_names(folder / "names", count=args.names)
            name = f"{args.names} names"
            facts[name] = in_process("names", folder / "names", folder, 0)
            print(f"{name}:", _line(facts[name]))
    if args.json:
        figures = {f"{set}: {key}": [v] for set, of in facts.items() for key, v in of.items()}
        text = json.dumps({"by_round": figures}, indent=1)
        args.json.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
