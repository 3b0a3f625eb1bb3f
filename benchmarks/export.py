"""Exported files beside the checkpoint. python benchmarks/export.py --run RUN_DIR --images DIR

torch     the checkpoint, as `seg.predict` runs it on a CPU in full precision
onnx      the exported graph in onnxruntime, probabilities alone, as `seg.predict` runs it
whole     the same with the mask and its postprocessing, as others use it
dynamic   quantised, ranges measured at each run
static    quantised, ranges of the first images

One image at a time, decoded before. The candidates take turns on the same images, so that a busy
machine slows all of them: compare the ratios, torch is 1. OMP_NUM_THREADS sets the threads.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from seg.cli.make import make
from seg.data.images import read_image
from seg.data.pairs import image_files
from seg.exporting import build, quantise
from seg.inference.exported import as_bytes, load, run_onnx
from seg.inference.load import Loader
from seg.inference.predictor import NetworkPredictor
from seg.inference.threads import threads
from seg.training.checkpoint import read


def candidates(run: Path, images: Sequence, folder: Path) -> dict[str, Callable]:
    """By name, a function of an image (H, W, C) uint8."""
    model = Loader(build=make).load_run(run)
    preprocessing, whole = read(model.path)["seg"]["preprocessing"], folder / "whole.onnx"
    metadata = build.write_graph(model, preprocessing, "onnx", whole)
    own = model.predictor
    predictor = NetworkPredictor(model=own.model, normalize=own.normalize, size=own.size)
    graph, _ = run_onnx(whole)
    functions: dict[str, Callable] = {
        "torch": predictor.probabilities,
        "onnx": load(whole).predictor.probabilities,
        "whole": lambda image: graph(image[None]),
    }
    for method in quantise.METHODS:
        path = folder / f"{method}.onnx"
        build.to_8_bits(whole, path, method, metadata, images[:32])
        functions[method] = load(path).predictor.probabilities
    return functions


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
        functions = candidates(args.run.absolute(), images, Path(folder))
        rounds: dict[str, list[float]] = {name: [] for name in functions}
        for number in range(args.rounds + 1):
            for name, predict in functions.items():
                started = time.perf_counter()
                for image in images:
                    predict(image)
                if number:  # the first warms up
                    rounds[name].append(1e3 * (time.perf_counter() - started) / len(images))
    print(f"{len(images)} images, {args.rounds} rounds, {threads()} threads")
    print(f"{'file':>8} {'ms/image':>9} {'to torch':>9}  (rounds)")
    for name, times in rounds.items():
        ratios = [a / b for a, b in zip(times, rounds["torch"], strict=True)]
        print(
            f"{name:>8} {statistics.median(times):9.1f} {statistics.median(ratios):9.2f}  "
            f"({min(ratios):.2f} - {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
