"""Export a checkpoint. python -m seg.export run=RUN_DIR format=onnx|pt2|safetensors|pth"""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from seg.data.errors import DataError, DataErrors
from seg.data.images import read_image
from seg.data.pairs import image_files
from seg.data.preprocess import read_pair
from seg.data.sources import read_pairs
from seg.evaluate import own_source
from seg.evaluation import cases
from seg.exporting import build as making
from seg.exporting.parity import LARGEST, LEAST_EQUAL, Parity, Sample, checkpoint, measure, resized
from seg.inference.exported import as_bytes
from seg.inference.load import Loader
from seg.inference.model import LoadedModel
from seg.launch import launch
from seg.runs import atomic
from seg.training import progress
from seg.training.checkpoint import read

log = logging.getLogger("seg.export")  # __name__ is __main__ here

CALIBRATION = 32  # training images that show the ranges of a static quantisation


def export(cfg: DictConfig) -> dict[str, Any]:
    """One file, and its report, which is returned. Raises ValueError where the file does not
    answer as the checkpoint does; nothing is left of it then.
    """
    making.require(cfg.format)
    run = Path(cfg.run).expanduser().absolute()
    loader = Loader(
        build=partial(instantiate, _convert_="all"),
        trust=[cfg.trust] if isinstance(cfg.trust, str) else list(cfg.trust),
    )
    network = loader.load_run(run, cfg.checkpoint)
    content = read(network.path)
    output = place_of(cfg, run)
    report: dict[str, Any] = {"checkpoint": str(network.path), "format": cfg.format}
    with making.placed(output) as folder:
        if cfg.format in ("onnx", "pt2"):
            report |= export_graph(cfg, run, network, content, folder / output.name)
        else:
            count = making.weights_alone(network, content, cfg.format, folder / output.name, loader)
            log.info("%d tensors, read again and equal", count)
            report["tensors"] = count
        report["bytes"] = (folder / output.name).stat().st_size
        atomic.write_json(folder / f"{output.name}.parity.json", report)
    log.info("%s: %.1f MB", output, report["bytes"] / 1e6)
    return report


def place_of(cfg: DictConfig, run: Path) -> Path:
    """Where the file goes. Raises ValueError or FileExistsError before any work is done."""
    small = ".int8" if cfg.int8 else ""
    default = run / "export" / f"model{small}.{cfg.format}"
    output = Path(cfg.output).expanduser().absolute() if cfg.output else default
    if output.is_dir() or output.suffix != f".{cfg.format}":
        raise ValueError(f"output={output}: must be a file whose name ends in .{cfg.format}")
    if output.exists() and not cfg.overwrite:
        raise FileExistsError(
            f"output={output}: is there already; choose another, or set overwrite=true"
        )
    return output


def export_graph(
    cfg: DictConfig, run: Path, network: LoadedModel, content: dict[str, Any], path: Path
) -> dict[str, Any]:
    """Writes `path` and tries it."""
    samples = resized(find_samples(cfg, run, network))
    count = len(network.classes)
    whole = path.with_name("whole.onnx") if cfg.int8 else path
    says, answers = making.graph(network, content["seg"], cfg.format, whole)
    found = measure(checkpoint(network), answers, samples, classes=count)
    show(found, "checkpoint", f"{cfg.format} file")
    if not found.good:
        raise ValueError(
            f"{path.name}: does not answer as {network.path} does: a probability differs by "
            f"{found.largest:.2g} (up to {LARGEST:g} is let pass), {found.equal:.4%} of the mask's "
            f"pixels are equal (at least {LEAST_EQUAL:.2%}); nothing is written"
        )
    report = {"about": says, "parity": found.content()}
    if not cfg.int8:
        return report
    way = "dynamic" if cfg.int8 is True else cfg.int8
    images = calibration(cfg, run, network) if way == "static" else []
    making.to_8_bits(whole, path, way, says, images)
    loss = measure(answers, making.answers(path), samples, classes=count)
    if not np.isfinite(loss.largest):
        raise ValueError(f"{path.name}: the int8 file gives no numbers; nothing is written")
    show(loss, "onnx file", f"int8, {way}")
    before, after = loss.milliseconds
    log.info(
        "int8: %.2f of the time of 32 bits, %.2f of the bytes%s",
        after / before, path.stat().st_size / whole.stat().st_size,
        "" if after < before else "; it is no faster on this machine",
    )  # fmt: skip
    return report | {"int8": loss.content() | {"way": way}}


def find_samples(cfg: DictConfig, run: Path, network: LoadedModel) -> list[Sample]:
    """Real images: of the run's own split, or of the folder `images`."""
    if cfg.images is None:
        return of_split(run, cfg.dataset.root, network, cfg.split, cfg.count)
    folder = Path(cfg.images).expanduser().absolute()
    if not folder.is_dir():
        raise FileNotFoundError(f"images={folder}: no such folder")
    files = image_files(folder)
    if not files:
        raise FileNotFoundError(f"images={folder}: holds no images")
    shape = network.preprocessing
    samples, problems = [], []
    for path in spread(files, cfg.count):
        try:
            image = read_image(path, channels=shape.channels, window=shape.window)
            samples.append(Sample(path.name, as_bytes(image), None))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataErrors(problems)
    return samples


def of_split(
    run: Path, root: str | None, network: LoadedModel, split: str, count: int
) -> list[Sample]:
    """Cases of the run, evenly from all of a split."""
    source = own_source(run, root)
    try:
        found = cases.of_run(
            read_pairs(source), run / "split.csv", split, progress=progress.with_bar
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; images=DIR tries the file on others") from error
    samples = []
    for case in spread(found, count):
        image, mask, _ = read_pair(case.pair, network.preprocessing)
        samples.append(Sample(case.pair.case, as_bytes(image), mask))
    return samples


def calibration(cfg: DictConfig, run: Path, network: LoadedModel) -> list[NDArray]:
    """Training images, as they are stored."""
    found = of_split(run, cfg.dataset.root, network, "train", CALIBRATION)
    return [sample.image for sample in found]


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """`count` of them, evenly; all if there are fewer."""
    places = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[round(place)] for place in places]


def show(found: Parity, theirs: str, ours: str) -> None:
    """The table of a comparison, on standard output."""
    smallest, largest = found.sizes[0], found.sizes[-1]
    table = Table(title=f"{ours} beside {theirs}, {found.images} images of {smallest} to {largest}",
                  show_header=False, title_justify="left")  # fmt: skip
    table.add_row("probabilities, largest difference", f"{found.largest:.2g}")
    table.add_row("probabilities, mean difference", f"{found.mean:.2g}")
    table.add_row("equal mask pixels", f"{found.equal:.5%}")
    if found.dice is not None:
        before, after = found.dice
        table.add_row("Dice", f"{before:.4f} -> {after:.4f} ({after - before:+.5f})")
    before, after = found.milliseconds
    table.add_row("ms an image", f"{before:.1f} -> {after:.1f} ({after / before:.2f})")
    Console().print(table)


if __name__ == "__main__":
    launch(export, config_name="export")
