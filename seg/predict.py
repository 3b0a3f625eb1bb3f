"""Masks for images. python -m seg.predict run=RUN input=FILE|DIR|GLOB|CSV output=DIR"""

from seg.launch import launch

if __name__ == "__main__":  # before the imports, so that help and refusals come at once
    launch("seg.predict.predict", config_name="predict")

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from seg.cli import compose
from seg.cli.stored_run import build_loader, with_symmetries
from seg.data.errors import DataErrors
from seg.inference.ensemble import join
from seg.inference.exported import ExportedPredictor
from seg.inference.files import inputs, output
from seg.inference.files.file_predictor import FilePredictor
from seg.inference.files.journal import Journal, key_of
from seg.inference.files.pipeline import Failed
from seg.inference.files.reading import File, open_files
from seg.inference.load import digest_of
from seg.inference.model import NO_POSTPROCESS, LoadedModel
from seg.inference.native_scale import ScaledPredictor
from seg.inference.patches import PatchPredictor
from seg.inference.resized import ResizedPredictor
from seg.inference.sliding_window import SlidingWindow
from seg.inference.tta import TestTimeAugmentation, choose
from seg.report import figures, predictions
from seg.training.hardware import Hardware, choose_hardware

log = logging.getLogger(__name__)

TABLE, SHEET = "predictions.csv", "contact_sheet.png"
# Keys that change what is written for an image; others say how fast, or which images.
SETTINGS = ("values", "probabilities", "overlays", "threshold", "postprocess", "tile", "scale",
            "overlap", "tta", "tta_check")  # fmt: skip
WRAPPING = ("tta", "tta_check", "tile", "scale", "overlap", "batch_size")  # arguments of `wrap`


def predict(cfg: DictConfig) -> list[dict[str, Any]]:
    """Predict all images of `input` into the folder `output`.

    Returns:
        The rows of predictions.csv.

    Raises:
        DataErrors: in the end, images that could not be predicted; all others are written.
    """
    keys = compose.plain(cfg)
    folder = Path(cfg.output).expanduser().absolute()
    output.refuse_inside(folder, keys["input"])
    images = inputs.find(keys["input"], recursive=cfg.recursive, root=cfg.root)
    hardware = choose_hardware(cfg.trainer.accelerator, cfg.trainer.precision)
    model = load_model(cfg, hardware)
    log_model(model, hardware)
    axis = model.axis if cfg.axis is None else cfg.axis
    images, failed = inputs.stacked(images, model.preprocessing.image_suffix)
    files, unreadable = open_files(images, axis)
    failed |= unreadable
    writer = output.MaskWriter(
        classes=model.classes,
        colours=predictions.colours(model.preprocessing.classes, model.classes),
        values=keys["values"],  # `cfg.values` is a method
        probabilities=cfg.probabilities,
        overlays=cfg.overlays,
        figures=figures.formats(cfg.figures),
        overlap=model.overlap,
    )
    output.refuse_collisions(folder, files, writer, others=(TABLE, SHEET))
    settings = {name: keys[name] for name in SETTINGS} | {
        "model": digest_of(model.members), "axis": axis, "precision": hardware.precision
    }  # fmt: skip
    with Journal(folder, key_of(settings)) as journal:
        rows = predict_files(cfg, files, failed, model, writer, journal)
    if failed:
        raise DataErrors(list(failed.values()))
    return rows


def load_model(cfg: DictConfig, hardware: Hardware) -> LoadedModel:
    """The model, or the ensemble, that `run` names, with the keys that change its predictions."""
    keys = compose.plain(cfg)
    members = build_loader(cfg, hardware).load(keys["run"], cfg.checkpoint)
    model = join([wrap(member, **{key: keys[key] for key in WRAPPING}) for member in members])
    threshold = keys["threshold"]
    if threshold is not None:
        if model.likeliest:
            raise ValueError("threshold: of several classes the likeliest is taken; leave it out")
        each = len(model.classes) if model.overlap else 0
        if isinstance(threshold, list) and len(threshold) != each:
            known = f", or one for each of {', '.join(model.classes)}" if each else ""
            raise ValueError(f"threshold={threshold}: give one number{known}")
        model = replace(model, threshold=threshold)
    return model if cfg.postprocess else replace(model, postprocess=NO_POSTPROCESS)


def wrap(
    model: LoadedModel,
    *,
    tta: bool | str = False,
    tta_check: bool = True,
    tile: int | str | None = "auto",
    scale: float | None = None,
    overlap: float = 0.25,
    batch_size: int = 8,
) -> LoadedModel:
    """A model with test-time augmentation and a way to predict large images around its network.

    Images are resized whole, or cut into windows, as in training, unless `tile` or `scale` says
    otherwise: only the user knows whether a larger image shows more, or the same in more pixels.

    Raises:
        ValueError: a value is out of range, or does not suit the model.
    """
    if tile not in ("auto", None) and (isinstance(tile, bool) or not isinstance(tile, int)):
        raise ValueError(f"tile={tile} must be auto, null or a number of pixels")
    predictor, pre = model.predictor, model.preprocessing
    size, windows = pre.network_size, {"overlap": overlap, "batch_size": batch_size}
    if tta:
        views = choose(tta, with_symmetries(model), check=tta_check)
        predictor = TestTimeAugmentation(predictor, symmetries=views)
    if scale is not None:
        predictor = ScaledPredictor(predictor, scale=scale, tile=tile, overlap=overlap)
    elif isinstance(tile, int):
        pad = pre.patch is not None
        if pad and isinstance(model.predictor, ExportedPredictor) and tile != max(size):
            raise ValueError(
                f"tile={tile}: {model.path.name} takes windows of {size[1]}x{size[0]} alone; leave "
                "tile out, or predict with the run folder"
            )
        predictor = SlidingWindow(predictor, tile=tile, network_size=size, pad=pad, **windows)
    elif pre.patch is not None:
        predictor = PatchPredictor(predictor, patch=pre.patch, size=pre.size, **windows)
    else:
        predictor = ResizedPredictor(predictor, network_size=size, outputs=model.outputs)
    return replace(model, predictor=predictor)


def log_model(model: LoadedModel, hardware: Hardware) -> None:
    """Log what predicts, how it treats images, and how probabilities become masks."""
    single = len(model.members) == 1
    networks = model.path if single else f"the mean of {len(model.members)} networks"
    log.info("%s on %s", networks, hardware.line)
    if single:
        log.info("%s", model.predictor)
    each = ", ".join(f"{t:.4g}" for t in np.atleast_1d(model.threshold))
    rule = "" if model.likeliest else f", above {each}"
    steps = "".join(f"; {s} of {', '.join(c)}" for s, c in model.postprocess.items() if c)
    log.info("classes: %s%s%s", ", ".join(model.classes), rule, steps)


def predict_files(
    cfg: DictConfig,
    files: Sequence[File],
    failed: dict[str, str],
    model: LoadedModel,
    writer: output.MaskWriter,
    journal: Journal,
) -> list[dict[str, Any]]:
    """Predict files, then write table and contact sheet; adds to `failed`, reasons by image."""
    names = [TABLE, *([SHEET] if cfg.contact_sheet else [])]
    journal.refuse_foreign([*(name for file in files for name in writer.names(file)), *names])
    journal.claim(names)
    (journal.folder / TABLE).unlink(missing_ok=True)  # a table means that all masks are there
    results = FilePredictor(
        model=model,
        writer=writer,
        journal=journal,
        draw=partial(predictions.overlay, shades=writer.colours),
        resized=cfg.scale is None and cfg.tile in ("auto", None),
        batch_size=cfg.batch_size,
    ).run(files)
    failed |= {f.input.image: r.reason for f, r in results.items() if isinstance(r, Failed)}
    rows = [row for r in results.values() if not isinstance(r, Failed) for row in r["rows"]]
    with journal.replacing(TABLE) as path:
        text = predictions.table(rows, failed, model.classes, overlap=model.overlap)
        path.write_text(text, encoding="utf-8")
    if cfg.contact_sheet and rows:
        with journal.replacing(SHEET) as path:
            predictions.sheet(rows, files, model, writer, folder=journal.folder, path=path)
    for line in predictions.summary(rows):
        log.warning("%s", line)
    if first := predictions.review_first(rows):
        named = ", ".join(f"{row['image']} {row['foreground_confidence']:.2f}" for row in first)
        log.info("review first, the masks of lowest confidence: %s", named)
    folders = [key for key in ("overlays", "probabilities") if cfg[key]]
    log.info("%s: masks, %s", journal.folder, ", ".join([*folders, *names]))
    return rows
