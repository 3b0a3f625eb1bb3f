"""Exported files beside the checkpoint. python benchmarks/export.py --run RUN_DIR --images DIR

torch     the checkpoint, as `seg.predict` asks it on a CPU in full precision
onnx      the exported graph in onnxruntime, probabilities alone, as `seg.predict` asks it
whole     the same with mask and clean-up inside, as others use it
dynamic   quantised, ranges measured at each run
static    quantised, ranges of the first images

One image at a time, all decoded before; all sides take turns over the same images, so that a shared
machine's moods hit all: read the ratios, torch is 1. Threads are as OMP_NUM_THREADS says.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from hydra.utils import instantiate

from seg.data.images import read_image
from seg.data.pairs import image_files
from seg.exporting import build
from seg.inference.exported import as_bytes, load, run_onnx, threads
from seg.inference.load import Loader
from seg.inference.predictor import NetworkPredictor
from seg.training.checkpoint import read


def sides(run: Path, images: Sequence, folder: Path) -> dict[str, Callable]:
    """Each: image (H, W, C) uint8 to anything."""
    network = Loader(build=partial(instantiate, _convert_="all")).load_run(run)
    stored, whole = read(network.path)["seg"]["preprocessing"], folder / "whole.onnx"
    metadata = build.write_graph(network, stored, "onnx", whole)
    found: dict[str, Callable] = {
        "torch": NetworkPredictor(
            model=network.predictor.model,
            normalize=network.predictor.normalize,
            size=network.preprocessing.size,
        ).probabilities,
        "onnx": load(whole).predictor.probabilities,
    }
    answers, _ = run_onnx(whole)
    found["whole"] = lambda image: answers(image[None])
    for way in ("dynamic", "static"):
        build.to_8_bits(whole, folder / f"{way}.onnx", way, metadata, images[:32])
        found[way] = load(folder / f"{way}.onnx").predictor.probabilities
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="a run folder")
    parser.add_argument("--images", type=Path, required=True, help="a folder of images")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    torch.set_num_threads(threads())
    images = [as_bytes(read_image(p, channels=3)) for p in image_files(args.images)[: args.count]]
    with tempfile.TemporaryDirectory() as folder:
        asked = sides(args.run.absolute(), images, Path(folder))
        rounds: dict[str, list[float]] = {name: [] for name in asked}
        for number in range(args.rounds + 1):
            for name, ask in asked.items():
                started = time.perf_counter()
                for image in images:
                    ask(image)
                if number:  # the first warms up
                    rounds[name].append(1e3 * (time.perf_counter() - started) / len(images))
    print(f"{len(images)} images, {args.rounds} rounds, {threads()} threads")
    print(f"{'side':>8} {'ms/image':>9} {'to torch':>9}  (rounds)")
    for name, times in rounds.items():
        ratios = [a / b for a, b in zip(times, rounds["torch"], strict=True)]
        print(
            f"{name:>8} {statistics.median(times):9.1f} {statistics.median(ratios):9.2f}  "
            f"({min(ratios):.2f} - {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
