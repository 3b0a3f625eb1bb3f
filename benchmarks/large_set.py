"""The memory of a training on patches of large images, which must not grow with their number.

python benchmarks/large_set.py --count 20 --side 4000
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

FIELDS = ("RssAnon", "RssFile")  # of /proc: its own memory, and pages of files that can be given up


def write_set(root: Path, *, count: int, side: int) -> None:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--side", type=int, default=4000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_set(Path(folder, "set"), count=args.count, side=args.side)
        largest = peaks([
            sys.executable, "-m", "seg.train", "dataset=folder", f"dataset.root={folder}/set",
            "dataset.image_size=null", "dataset.patch_size=256", "dataset.patches_per_image=4",
            "dataset.split.val=2", "dataset.split.test=2", "model.width=8", "trainer=cpu",
            "trainer.max_epochs=1", f"output_dir={folder}/out", "panels_every=1",
        ])  # fmt: skip
    decoded = args.count * args.side**2 * 4 / 2**20
    print(
        f"{args.count} images of {args.side}x{args.side}, decoded {decoded:.0f} MB; at most "
        f"{largest['RssAnon']} MB of its own memory, and {largest['RssFile']} MB of file pages"
    )


if __name__ == "__main__":
    main()
