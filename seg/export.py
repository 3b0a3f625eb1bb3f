"""Export a checkpoint. python -m seg.export run=RUN_DIR format=onnx|pt2|safetensors|pth"""

from seg.launch import launch

if __name__ == "__main__":  # before the imports, so that help and refusals come at once
    launch("seg.export.export", config_name="export")

import logging
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from seg.cli.stored_run import build_loader, run_source
from seg.evaluation.cases import run_cases
from seg.exporting import build, parity
from seg.exporting.parity import MAX_DIFFERENCE, MIN_EQUAL, Parity, Sample
from seg.inference.model import LoadedModel
from seg.runs import atomic
from seg.runs.folder import RunFolder
from seg.training import progress
from seg.training.checkpoint import read

log = logging.getLogger(__name__)

CALIBRATION = 32  # training images that give the ranges of a static quantisation


def export(cfg: DictConfig) -> dict[str, Any]:
    """Write one file and its report; returns the report.

    Raises:
        ValueError: the file does not predict as the checkpoint does; nothing is left of it then.
    """
    build.require(cfg.format)
    run = RunFolder(Path(cfg.run).expanduser().absolute())
    loader = build_loader(cfg)
    model = loader.load_run(run.path, cfg.checkpoint)
    checkpoint = read(model.path)
    output = output_path(cfg, run)
    report: dict[str, Any] = {"checkpoint": str(model.path), "format": cfg.format}
    with build.with_report(output) as (path, report_path):
        if cfg.format in ("onnx", "pt2"):
            report |= export_graph(cfg, run, model, checkpoint["seg"]["preprocessing"], path)
        else:
            report["tensors"] = build.write_weights(model, checkpoint, cfg.format, path, loader)
            log.info("%d tensors, read again and equal", report["tensors"])
        report["bytes"] = path.stat().st_size
        atomic.write_json(report_path, report)
    log.info("%s: %.1f MB", output, report["bytes"] / 1e6)
    return report


def output_path(cfg: DictConfig, run: RunFolder) -> Path:
    """The file to write. Raises ValueError or FileExistsError before any work is done."""
    int8 = ".int8" if cfg.int8 else ""
    default = run.exports_path / f"model{int8}.{cfg.format}"
    output = Path(cfg.output).expanduser().absolute() if cfg.output else default
    atomic.require_writable(output.parent, "output")
    if output.is_dir() or output.suffix != f".{cfg.format}":
        raise ValueError(f"output={output}: must be a file whose name ends in .{cfg.format}")
    if output.exists() and not cfg.overwrite:
        raise FileExistsError(
            f"output={output}: is there already; choose another, or set overwrite=true"
        )
    return output


def export_graph(
    cfg: DictConfig, run: RunFolder, model: LoadedModel, preprocessing: dict[str, Any], path: Path
) -> dict[str, Any]:
    """Write `path` and compare its predictions with the checkpoint's; returns the comparison."""
    samples = find_samples(cfg, run, model)
    if model.preprocessing.patch is None:  # else the file takes windows of one size alone
        samples = parity.resized(samples)
    classes = len(model.classes)
    float_path = path.with_name("float.onnx") if cfg.int8 else path
    metadata = build.write_graph(model, preprocessing, cfg.format, float_path)
    predict = build.exported_predict(float_path)
    result = parity.measure(parity.checkpoint_predict(model), predict, samples, classes=classes)
    show(result, "checkpoint", f"{cfg.format} file")
    if not result.good:
        raise ValueError(
            f"{path.name}: does not predict as {model.path} does: a probability differs by "
            f"{result.largest:.2g} (allowed: {MAX_DIFFERENCE:g}), {result.equal:.4%} of the mask's "
            f"pixels are equal (at least {MIN_EQUAL:.2%} must be); nothing is written"
        )
    report = {"about": metadata, "parity": result.content()}
    if not cfg.int8:
        return report
    method = "dynamic" if cfg.int8 is True else cfg.int8
    images = []
    if method == "static":
        training = run_samples(cfg, run, model, "train", CALIBRATION)
        images = [sample.image for sample in training]
    build.to_8_bits(float_path, path, method, metadata, images)
    loss = parity.measure(predict, build.exported_predict(path), samples, classes=classes)
    if not np.isfinite(loss.largest):
        raise ValueError(f"{path.name}: the int8 file's output is not finite; nothing is written")
    show(loss, "onnx file", f"int8, {method}")
    before, after = loss.milliseconds
    log.info(
        "int8: %.2f of the time of 32 bits, %.2f of the bytes%s",
        after / before, path.stat().st_size / float_path.stat().st_size,
        "" if after < before else "; it is no faster on this machine",
    )  # fmt: skip
    return report | {"int8": loss.content() | {"way": method}}


def find_samples(cfg: DictConfig, run: RunFolder, model: LoadedModel) -> list[Sample]:
    """Images to compare on: of the run's own split, or of the folder `images`."""
    if cfg.images is None:
        return run_samples(cfg, run, model, cfg.split, cfg.count)
    folder = Path(cfg.images).expanduser().absolute()
    return parity.folder_samples(folder, model.preprocessing, cfg.count)


def run_samples(
    cfg: DictConfig, run: RunFolder, model: LoadedModel, split: str, count: int
) -> list[Sample]:
    """`count` cases of the run, spread evenly over a split."""
    source = run_source(run, cfg.dataset.root)
    try:
        cases = run_cases(run, source, split, progress=progress.with_bar)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; images=DIR compares on others") from error
    return parity.case_samples(cases, model.preprocessing, count)


def show(result: Parity, theirs: str, ours: str) -> None:
    """Print the table of a comparison."""
    images = f"{result.images} images of {result.sizes[0]} to {result.sizes[-1]}"
    title = f"{ours} beside {theirs}, {images}"
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_row("probabilities, largest difference", f"{result.largest:.2g}")
    table.add_row("probabilities, mean difference", f"{result.mean:.2g}")
    table.add_row("equal mask pixels", f"{result.equal:.5%}")
    if result.dice is not None:
        before, after = result.dice
        table.add_row("Dice", f"{before:.4f} -> {after:.4f} ({after - before:+.5f})")
    before, after = result.milliseconds
    table.add_row("ms an image", f"{before:.1f} -> {after:.1f} ({after / before:.2f})")
    Console().print(table)
