"""Masks for images. python -m seg.predict run=RUN input=FILE|DIR|GLOB|CSV output=DIR"""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from seg.cli import compose
from seg.data.errors import DataError, DataErrors
from seg.data.images import read_image
from seg.inference import load, places
from seg.inference.ensemble import join
from seg.inference.files import inputs, reading
from seg.inference.files import output as writing
from seg.inference.files.file_predictor import FilePredictor
from seg.inference.files.journal import Journal, key_of
from seg.inference.files.pipeline import Failed
from seg.inference.model import NO_POSTPROCESS, LoadedModel
from seg.inference.native_scale import ScaledPredictor
from seg.inference.predictor import device_of
from seg.inference.resized import ResizedPredictor
from seg.inference.sliding_window import SlidingWindow
from seg.inference.tta import TestTimeAugmentation
from seg.launch import launch
from seg.report import predictions
from seg.training import progress
from seg.training.hardware import Hardware, choose_hardware

log = logging.getLogger("seg.predict")  # __name__ is __main__ here

TABLE, SHEET = "predictions.csv", "contact_sheet.png"
# Keys that say what is written; others how fast, or which images.
MATTERS = (
    "values", "probabilities", "overlays", "threshold", "postprocess", "tile", "scale", "overlap",
    "tta",
)  # fmt: skip


def predict(cfg: DictConfig) -> list[dict[str, Any]]:
    """All images of `input`. Returns the rows of the table; raises DataErrors in the end where
    there were some that could not be predicted.
    """
    keys = compose.plain(cfg)
    output = Path(cfg.output).expanduser().absolute()
    places.refuse_inside(output, keys["input"])
    found = inputs.find(keys["input"], recursive=cfg.recursive, root=cfg.root)
    hardware = choose_hardware(cfg.trainer.accelerator, cfg.trainer.precision)
    model = load_model(cfg, hardware)
    log_model(model, hardware)
    axis = model.axis if cfg.axis is None else cfg.axis
    files, failed = opened_files(found, axis)
    wanted = writing.Wanted(
        values=keys["values"],  # `cfg.values` is a method
        probabilities=cfg.probabilities,
        overlays=cfg.overlays,
        classes=model.classes,
        colours=predictions.colours(model.preprocessing.classes, model.classes),
    )
    places.refuse_collisions(output, files, wanted, others=(TABLE, SHEET))
    key = key_of(
        {name: keys[name] for name in MATTERS}
        | {"model": load.digest_of(model.members), "axis": axis, "precision": hardware.precision}
    )
    with Journal(output) as journal:
        rows = run(cfg, files, failed, model, wanted, journal, key)
    for line in predictions.summary(rows):
        log.warning("%s", line)
    log.info("%s: masks, %s", output, ", ".join(extras(cfg)))
    if failed:
        raise DataErrors(list(failed.values()))
    return rows


def run(
    cfg: DictConfig,
    files: Sequence[reading.File],
    failed: dict[str, str],
    model: LoadedModel,
    wanted: writing.Wanted,
    journal: Journal,
    key: str,
) -> list[dict[str, Any]]:
    """Predict what is not there yet, write table and sheet; adds to `failed` (image to reason)."""
    planned = [name for file in files for name in writing.names(file, wanted)]
    places.refuse_foreign(journal, [*planned, *extras(cfg)])
    records = {f.input.image: kept(f, writing.names(f, wanted), journal, key) for f in files}
    left = [f for f in files if records[f.input.image] is None]
    if len(left) < len(files):
        log.info("%d of %d were there already, and are kept", len(files) - len(left), len(files))
    journal.claim(extras(cfg))
    if left:  # a table that is there belongs to masks that are all there
        (journal.folder / TABLE).unlink(missing_ok=True)
    masks = FilePredictor(
        model=model,
        wanted=wanted,
        journal=journal,
        key=key,
        draw=partial(predictions.overlay, shades=wanted.colours),
        resized=cfg.scale is None and cfg.tile in ("auto", None),
        batch_size=cfg.batch_size,
    )
    started, done = time.perf_counter(), 0
    for file, result in progress.with_bar(masks.run(left), len(left), "predicting"):
        if isinstance(result, Failed):
            failed[file.input.image] = result.reason
        else:
            records[file.input.image] = result
            done += 1
    seconds = time.perf_counter() - started
    if done:
        log.info("%d predicted in %.1f s: %.3g images/s", done, seconds, done / seconds)
    rows = [row for record in records.values() if record is not None for row in record["rows"]]
    write(journal, TABLE, predictions.table(rows, failed, model.classes))
    if cfg.contact_sheet and rows:
        draw_sheet(rows, {f.input.image: f for f in files}, model, wanted, journal)
    return rows


def kept(
    file: reading.File, names: Sequence[str], journal: Journal, key: str
) -> dict[str, Any] | None:
    """The record of a file that is predicted already, into files of these names."""
    record = journal.done.get(file.input.image)
    if record is None or record["files"].keys() != set(names):
        return None
    try:
        return journal.holds(file.input.image, key, file.sha256)
    except OSError:  # reading it will say what is wrong
        return None


def load_model(cfg: DictConfig, hardware: Hardware) -> LoadedModel:
    """The model that `run` names, or the ensemble, with the keys that change how it predicts."""
    loader = load.Loader(
        build=partial(instantiate, _convert_="all"),
        trust=[cfg.trust] if isinstance(cfg.trust, str) else list(cfg.trust),
        device=device_of(hardware.accelerator),
        precision=hardware.precision,
    )
    keys = compose.plain(cfg)
    wrapping = {key: keys[key] for key in ("tta", "tile", "scale", "overlap", "batch_size")}
    members = loader.load(keys["run"], cfg.checkpoint)
    model = join([wrap(member, **wrapping) for member in members])
    if cfg.threshold is not None:
        if len(model.classes) > 1:
            raise ValueError("threshold: of several classes the likeliest is taken; leave it out")
        model = replace(model, threshold=cfg.threshold)
    return model if cfg.postprocess else replace(model, postprocess=NO_POSTPROCESS)


def wrap(
    model: LoadedModel,
    *,
    tta: bool | str = False,
    tile: int | str | None = "auto",
    scale: float | None = None,
    overlap: float = 0.25,
    batch_size: int = 8,
) -> LoadedModel:
    """A model with test-time augmentation and a way to predict large images around its network.

    An image is resized whole, as in training, unless `tile` or `scale` are set. Only the user knows
    whether a larger image shows more, or the same in more pixels: no image size changes the way.

    Raises:
        ValueError: a value is out of range, or the model cannot be used so.
    """
    if tile not in ("auto", None) and (isinstance(tile, bool) or not isinstance(tile, int)):
        raise ValueError(f"tile={tile} must be auto, null or a number of pixels")
    predictor, size = model.predictor, model.preprocessing.size
    if tta:
        predictor = TestTimeAugmentation(predictor, transforms="flips" if tta is True else tta)
    if scale is not None:
        predictor = ScaledPredictor(predictor, scale=scale, tile=tile, overlap=overlap)
    elif tile in ("auto", None):
        predictor = ResizedPredictor(predictor, network_size=size, outputs=model.outputs)
    else:
        predictor = SlidingWindow(
            predictor, tile=tile, network_size=size, overlap=overlap, batch_size=batch_size
        )
    return replace(model, predictor=predictor)


def opened_files(
    found: Sequence[inputs.Input], axis: int
) -> tuple[list[reading.File], dict[str, str]]:
    """Files that could be opened, and why others (by image) could not."""
    files, failed = [], {}
    for one in found:
        try:
            files.append(reading.opened(one, axis))
        except DataError as error:
            failed[one.image] = str(error)
    return files, failed


def extras(cfg: DictConfig) -> list[str]:
    """Files beside those of single images."""
    return [TABLE, *([SHEET] if cfg.contact_sheet else [])]


def write(journal: Journal, name: str, text: str) -> None:
    """Whole or not at all."""
    temporary = journal.temporary(name)
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, journal.folder / name)


def draw_sheet(
    rows: Sequence[dict[str, Any]],
    files: dict[str, reading.File],
    model: LoadedModel,
    wanted: writing.Wanted,
    journal: Journal,
) -> None:
    """The contact sheet, of images and masks as they lie on disk now."""
    journal.claim([SHEET])
    shape = model.preprocessing

    def read(index: int) -> tuple[Any, Any]:
        row = rows[index]
        image, _, number = row["image"].rpartition("#") if row["image"] not in files else (
            row["image"], "", ""
        )  # fmt: skip
        file = files[image]
        plane = (file.axis, int(number)) if number else None
        try:
            picture = read_image(
                file.input.path, channels=shape.channels, plane=plane, window=shape.window
            )
        except DataError:
            return None, None
        return picture, writing.read_back(file, journal.folder / row["mask"], plane, wanted)

    path = journal.temporary(SHEET)
    predictions.sheet(rows, read, path, classes=model.classes)
    os.replace(path, journal.folder / SHEET)


def log_model(model: LoadedModel, hardware: Hardware) -> None:
    """What predicts, how it treats images, and what it makes of probabilities."""
    single = len(model.members) == 1
    networks = model.path if single else f"the mean of {len(model.members)} networks"
    log.info("%s on %s", networks, hardware.line)
    if single:
        log.info("%s", model.predictor)
    rule = f", above {model.threshold:.4g}" if len(model.classes) == 1 else ""
    steps = "".join(f"; {s} of {', '.join(c)}" for s, c in model.postprocess.items() if c)
    log.info("classes: %s%s%s", ", ".join(model.classes), rule, steps)


if __name__ == "__main__":
    launch(predict, config_name="predict")
