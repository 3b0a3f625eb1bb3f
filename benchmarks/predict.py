"""seg.predict and seg.evaluate beside the network alone. python benchmarks/predict.py --run RUN --data DIR

network     the same images, resized before, through the network alone: the limit. On a CPU each image has a
            thread, on a GPU eight go together
batches     as most people do it: batches of eight in plain PyTorch, whose threads share each operation
with files  network, and the decoding of the images, shared out among all cores without any loss: what is
            possible where the network uses all cores
seg.predict what the command does: reads ahead, batches, decides, measures and writes in threads, keeps a
            journal and a table. Reading the configuration and the model is left out everywhere.
loop        what most people write: read one image, resize, predict, resize back, threshold, write the mask
onnx, int8  seg.predict with files of seg.export, in ONNX Runtime
test images the network alone on the test images of the run, on a GPU one at a time, as seg.evaluate does
evaluate    seg.evaluate on them, figures and pages included

All take turns, so that what else a shared machine does slows down all: read the ratios. `of network` is
images/s as a share of the network's (of `test images` for evaluate), `CPU` the processor time of all threads
as a multiple of it. OMP_NUM_THREADS sets the threads.
"""  # noqa: E501

import argparse
import contextlib
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from seg import evaluate, predict
from seg.cli.compose import compose
from seg.cli.make import make
from seg.cli.stored_run import run_source
from seg.data.cores import usable_cores
from seg.data.formats import IMAGE_SUFFIXES
from seg.data.images import read_image
from seg.data.preprocess import image_to_size
from seg.evaluation.cases import run_cases
from seg.exporting import build
from seg.inference import exported
from seg.inference.load import Loader
from seg.inference.model import LoadedModel
from seg.runs.folder import RunFolder
from seg.training.checkpoint import read

SLOW = ("onnx", "int8", "batches", "loop")  # rows that can be left out; onnx and int8 go together


def loop(model: LoadedModel, files: Sequence[Path], output: Path) -> None:
    """One after the other, in plain PyTorch, Pillow and OpenCV."""
    height, width = model.preprocessing.size
    mode = "RGB" if model.preprocessing.channels == 3 else "L"
    for file in files:
        image = np.array(Image.open(file).convert(mode))
        size = image.shape[1::-1]
        shrinks = height * width < image.shape[0] * image.shape[1]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(image, (width, height), interpolation=way).reshape(height, width, -1)
        inputs = torch.from_numpy(small).permute(2, 0, 1)[None]
        with torch.no_grad():
            logits = model.predictor.model(model.predictor.normalize(inputs))
        if logits.shape[1] == 1:
            probs = torch.sigmoid(logits)[0, 0].numpy()
            mask = cv2.resize(probs, size, interpolation=cv2.INTER_LINEAR) > model.threshold
        else:
            probs = torch.softmax(logits, 1)[0].numpy()
            mask = np.stack([cv2.resize(p, size) for p in probs]).argmax(0)
        Image.fromarray(mask.astype(np.uint8)).save(output / f"{file.stem}.png")


def exported_files(model: LoadedModel, images: Sequence, folder: Path) -> dict[str, LoadedModel]:
    """The model as ONNX, in full precision and in 8 bits."""
    paths = {"onnx": folder / "whole.onnx", "int8": folder / "int8.onnx"}
    about = build.write_graph(
        model, read(model.path)["seg"]["preprocessing"], "onnx", paths["onnx"]
    )
    build.to_8_bits(paths["onnx"], paths["int8"], "static", about, images)
    return {name: exported.load(path) for name, path in paths.items()}


@contextlib.contextmanager
def loaded(model: LoadedModel) -> Iterator[None]:
    """seg.predict with a model that is loaded already."""
    before = predict.load_model
    predict.load_model = lambda *_: model
    try:
        yield
    finally:
        predict.load_model = before


def candidates(
    args: argparse.Namespace, model: LoadedModel, files: Sequence[Path], folder: Path
) -> dict[str, tuple[int, Callable[[], None]]]:
    """By name, the number of images and what is timed."""
    size = model.preprocessing.network_size
    channels = model.preprocessing.channels
    network = model.predictor
    batches = [
        np.stack([image_to_size(read_image(f, channels=channels), size) for f in files[i : i + 8]])
        for i in range(0, len(files), 8)
    ]

    def alone(arrays: Sequence[np.ndarray]) -> None:
        for array in [np.concatenate(arrays)] if args.device == "cpu" else arrays:
            network.batch(list(array))

    def plain() -> None:
        for array in batches:
            inputs = torch.from_numpy(array).permute(0, 3, 1, 2)
            with torch.no_grad():
                torch.sigmoid(network.model(network.normalize(inputs)))

    def command(one: LoadedModel) -> Callable[[], None]:
        names = [str(file) for file in files]
        given = [f"input={names}", f"output={folder}", *args.keys]
        cfg = compose([f"run={args.run}", *given], config_name="predict")

        def run() -> None:
            cfg.output = tempfile.mkdtemp(dir=folder)
            with loaded(one):
                predict.predict(cfg)

        return run

    def naive() -> None:
        loop(model, files, Path(tempfile.mkdtemp(dir=folder)))

    count = len(files)
    functions = {
        "network": (count, lambda: alone(batches)),
        "decode": (count, lambda: [read_image(f, channels=channels) for f in files]),
        "seg.predict": (count, command(predict.wrap(model))),
    }
    if args.precision == "32-true" and args.device == "cpu":
        functions |= {"batches": (count, plain), "loop": (count, naive)}
        if "onnx" not in args.without:
            some = [exported.as_bytes(read_image(f, channels=channels)) for f in files[:32]]
            for name, one in exported_files(model, some, folder).items():
                functions[name] = (count, command(one))
    if args.evaluate:
        run = RunFolder(Path(args.run).absolute())
        cases = run_cases(run, run_source(run, args.root), "test")
        images = [read_image(case.pair.image, channels=channels) for case in cases]
        small = [image_to_size(image, size)[None] for image in images]
        lines = [f"run={args.run}", f"output={folder / 'evaluate'}",
                 f"trainer.precision={args.precision}", *args.keys]  # fmt: skip
        lines += [f"dataset.root={args.root}"] if args.root else []
        functions["test images"] = (len(cases), lambda: alone(small))
        cfg = compose(lines, config_name="evaluate")
        functions["evaluate"] = (len(cases), lambda: evaluate.evaluate(cfg, brief=True))
    return {name: one for name, one in functions.items() if name not in args.without}


def race(
    functions: dict[str, tuple[int, Callable[[], None]]], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """By name, wall and processor ms per image of each round, after one that warms up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for number in range(rounds + 1):
        for name, (count, function) in functions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            took = time.perf_counter() - wall, time.process_time() - cpu
            if number:
                times[name].append((1e3 * took[0] / count, 1e3 * took[1] / count))
    return times


def with_ratios(times: dict[str, list[tuple[float, float]]]) -> dict[str, dict[str, Any]]:
    """Medians over the rounds, and those of the ratios within a round."""
    times = dict(times)
    decode = times.pop("decode")
    cores = usable_cores()
    times["with files"] = [
        (max(wall, (cpu + files[1]) / cores), cpu + files[1])
        for (wall, cpu), files in zip(times["network"], decode, strict=True)
    ]
    rows = {}
    for name, own in times.items():
        limit = times["test images" if name == "evaluate" else "network"]
        pairs = list(zip(own, limit, strict=True))
        rows[name] = {
            "images_per_s": statistics.median(1e3 / wall for wall, _ in own),
            "cpu_ms": statistics.median(cpu for _, cpu in own),
            "of_network": statistics.median(b[0] / a[0] for a, b in pairs),
            "lowest": min(b[0] / a[0] for a, b in pairs),
            "highest": max(b[0] / a[0] for a, b in pairs),
            "cpu_of_network": statistics.median(a[1] / b[1] for a, b in pairs),
            "by_round": [b[0] / a[0] for a, b in pairs],
        }
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="a run folder")
    parser.add_argument("--data", type=Path, required=True, help="a folder of images")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, help="so many images only")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="32-true", help="or bf16-mixed")
    parser.add_argument("--evaluate", action="store_true", help="seg.evaluate as well")
    parser.add_argument("--root", help="where the data of the run lie now, for --evaluate")
    parser.add_argument("--without", nargs="*", choices=SLOW, default=[], help="rows to leave out")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("keys", nargs="*", help="of seg.predict, such as batch_size=16")
    args = parser.parse_args(argv)
    logging.getLogger("seg").setLevel(logging.ERROR)
    args.keys.append(f"trainer.accelerator={'gpu' if args.device == 'cuda' else 'cpu'}")
    files = sorted(p for p in args.data.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    files = files[: args.limit]
    loader = Loader(build=make, device=args.device, precision=args.precision)
    model = loader.load_run(Path(args.run).absolute())
    with tempfile.TemporaryDirectory() as folder:
        rows = with_ratios(race(candidates(args, model, files, Path(folder)), args.rounds))
    about = {
        "run": args.run, "images": len(files), "threads": torch.get_num_threads(),
        "cores": usable_cores(), "precision": args.precision, "rounds": args.rounds,
    }  # fmt: skip
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(f"{'':>12} {'images/s':>9} {'of network':>11}  {'(rounds)':13} {'CPU ms':>7} {'CPU':>5}")
    for name, row in rows.items():
        print(
            f"{name:>12} {row['images_per_s']:9.1f} {row['of_network']:11.2f}  "
            f"({row['lowest']:.2f} - {row['highest']:.2f}) {row['cpu_ms']:7.1f} "
            f"{row['cpu_of_network']:5.2f}"
        )
    if args.json:
        by_round = {f"{name}, of the network's images/s": rows[name]["by_round"] for name in rows}
        content = {"about": about, "rows": rows, "by_round": by_round}
        args.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
