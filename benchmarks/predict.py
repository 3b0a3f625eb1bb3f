"""seg.predict beside a naive loop. python benchmarks/predict.py --run RUN --data DIR

seg    what the command does: reads ahead, batches, decides, measures and writes in threads, keeps a
       journal and a table. Loading the model is left out of both.
naive  the loop that most people write: read one image, resize, predict, resize back, threshold,
       write the mask.

Both use the same network and write the same masks (compared in the end, pixel by pixel). They take
turns, so that what else a shared machine does slows down both: read the ratios.
"""

import argparse
import contextlib
import logging
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from seg import predict as command
from seg.cli.compose import compose
from seg.cli.make import make
from seg.data.formats import IMAGE_SUFFIXES
from seg.inference.load import Loader
from seg.inference.model import LoadedModel


def naive(model: LoadedModel, files: Sequence[Path], output: Path) -> None:
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


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="a run folder")
    parser.add_argument("--data", type=Path, required=True, help="a folder of images")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, help="so many images only")
    parser.add_argument("keys", nargs="*", help="of seg.predict, such as batch_size=16")
    args = parser.parse_args(argv)
    logging.getLogger("seg").setLevel(logging.ERROR)
    files = sorted(p for p in args.data.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    files = files[: args.limit]
    model = Loader(build=make).load_run(Path(args.run))
    wrapped = command.wrap(model)
    ratios, ours, theirs = [], [], []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.callback(setattr, command, "load_model", command.load_model)
        command.load_model = lambda *_: wrapped  # loaded once, for both
        for n in range(args.rounds + 1):  # the first to warm up
            output = Path(folder, f"seg{n}")
            cfg = compose(
                [f"run={args.run}", f"input={[str(f) for f in files]}", f"output={output}",
                 "trainer.accelerator=cpu", *args.keys],
                config_name="predict",
            )  # fmt: skip
            started = time.perf_counter()
            command.predict(cfg)
            middle = time.perf_counter()
            loop = Path(folder, f"naive{n}")
            loop.mkdir()
            between = time.perf_counter()
            naive(model, files, loop)
            ended = time.perf_counter()
            if n:
                ours.append(len(files) / (middle - started))
                theirs.append(len(files) / (ended - between))
                ratios.append(ours[-1] / theirs[-1])
        pixels = unequal = 0
        for file in files:
            a, b = (np.array(Image.open(d / f"{file.stem}.png")) for d in (output, loop))
            pixels, unequal = pixels + a.size, unequal + np.count_nonzero(a != b)
    print(f"{len(files)} images, {torch.get_num_threads()} threads, {args.rounds} rounds")
    print(f"seg   {statistics.median(ours):8.1f} images/s")
    print(f"naive {statistics.median(theirs):8.1f} images/s")
    print(f"ratio {statistics.median(ratios):8.2f}  ({min(ratios):.2f} - {max(ratios):.2f})")
    print(f"{unequal} of {pixels} mask pixels differ")


if __name__ == "__main__":
    main()
