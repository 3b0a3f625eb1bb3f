"""Synthetic organs: a generated data set, written to files once and read back like real data.

The organ has a texture of its own (oriented fibres); distractors share its brightness, colour and
size but not its texture, so that no intensity threshold finds it. Frames of one patient share the
organ's contour, texture and colour, so that splits must keep patients together.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import cv2
import numpy as np
from PIL import Image

from seg.data.pairs import Pair
from seg.data.sources.folder import Folder

GENERATOR = 1  # raise it when the pictures change, so that older files are not read
EMPTY_FRACTION = 0.1
TISSUE = 0.46  # grey of the background, 0-1


@dataclass(frozen=True)
class _Blob:
    """A smooth closed shape."""

    center: np.ndarray  # (x, y) in pixels
    radius: float
    waves: np.ndarray  # (K, 2), cosine and sine share of the radius at 2, 3, ... lobes
    texture: np.ndarray  # (H, W), zero mean
    brightness: float  # grey, 0-1


def _grain(
    rng: np.random.Generator, *, size: int, wavelength: float, angle: float | None = None
) -> np.ndarray:
    """Band-pass noise (size, size), unit variance, periodic; angle: of the change, in radians."""
    frequency_y, frequency_x = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    radius = np.hypot(frequency_y, frequency_x)
    band = np.exp(-(((radius * wavelength - 1) / 0.3) ** 2)) * (radius > 0)
    if angle is not None:
        band *= np.cos(np.arctan2(frequency_y, frequency_x) - angle) ** 10
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * band, s=(size, size))
    return (field / field.std()).astype(np.float32)


def _depth_inside(blob: _Blob, *, size: int) -> np.ndarray:
    """Distance along the ray to the contour, (size, size) in pixels; positive inside."""
    y, x = np.mgrid[:size, :size] - blob.center[::-1, None, None]
    turns = np.arange(2, 2 + len(blob.waves))[:, None, None] * np.arctan2(y, x)  # (K, H, W)
    waves = np.einsum("kp,kpyx->yx", blob.waves, np.stack([np.cos(turns), np.sin(turns)], axis=1))
    return blob.radius * (1 + waves) - np.hypot(x, y)


def _moved(blob: _Blob, rng: np.random.Generator, *, shift: np.ndarray, scale: float) -> _Blob:
    """The same blob in another frame: shifted by (x, y) pixels, scaled, a little deformed."""
    return replace(
        blob,
        center=blob.center + shift,
        radius=blob.radius * scale,
        waves=blob.waves + rng.normal(0, 0.012, blob.waves.shape),
        texture=np.roll(blob.texture, np.rint(shift[::-1]).astype(int), axis=(0, 1)),
    )


def _draw_vessels(rng: np.random.Generator, *, size: int, unit: float) -> np.ndarray:
    """Two to four thin curves from edge to edge, (size, size) float32 in 0-1."""
    vessels = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(2, 5))):
        along = np.linspace(-0.1, 1.1, 40)
        bends, phase, level, tilt = rng.uniform((3, 0, 0.1, -0.4), (7, 6, 0.9, 0.4))
        across = level + tilt * (along - 0.5) + 0.12 * np.sin(bends * along + phase)
        points = rng.permutation(np.stack([along, across]), axis=0).T * size  # either direction
        line = np.rint(points * 16).astype(np.int32)  # 4 fractional bits
        cv2.polylines(vessels, [line], False, 1.0, max(1, round(1.6 * unit)), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(vessels, (0, 0), 0.7 * unit)


def _draw_patient(
    rng: np.random.Generator, *, size: int, classes: int, empty: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One patient's frames: image (size, size, 3) uint8 RGB, labels (size, size) uint8 0-classes.

    Label 1 is the organ, the others are lesions in and beside it. empty: (frames,) bool; where it
    is true, a distractor is in the place of the organ, and all labels are zero.
    """
    unit = size / 128  # lengths below are written for 128 pixels
    brightness = TISSUE + rng.choice([-1, 1]) * rng.uniform(0.05, 0.13)
    rim = rng.choice([-1, 1]) * rng.uniform(0.08, 0.14)
    tint = 1 + rng.uniform(0.3, 1.0) * np.array([0.35, -0.15, -0.22]) + rng.normal(0, 0.04, 3)

    def texture(wavelength: float, angle: float | None = None) -> np.ndarray:
        return _grain(rng, size=size, wavelength=max(4.0, wavelength * unit), angle=angle)

    def blob(center: np.ndarray, radius: float, pattern: np.ndarray, offset: float = 0) -> _Blob:
        waves = rng.normal(0, 0.14, (4, 2)) / np.arange(2, 6)[:, None]
        return _Blob(center, radius, waves, pattern, brightness + offset)

    fibres = 0.11 * np.tanh(1.5 * texture(6.5, angle=rng.uniform(-np.pi / 2, np.pi / 2)))
    organ = blob(rng.uniform(0.36, 0.64, 2) * size, rng.uniform(22, 31) * unit, fibres)
    others = rng.permutation([0.02 * texture(16), 0.09 * texture(22)])  # smooth; coarse clouds
    stand_in = replace(organ, texture=others[1])
    distractors: list[_Blob] = []
    for _ in range(200):  # tries; a crowded picture gets fewer than three
        center, radius = rng.uniform(0.02, 0.98, 2) * size, rng.uniform(15, 27) * unit
        gaps = [np.hypot(*(center - b.center)) / (radius + b.radius) for b in (organ, *distractors)]
        if len(distractors) < 3 and min(gaps) > 1.1:
            distractors.append(blob(center, radius, others[len(distractors) % 2]))

    towards, lesions = rng.uniform(0, 2 * np.pi), []
    # Bright fine grain within the organ; hard patches across its edge.
    kinds = ((0.4, 0.06 * texture(4), 0.2), (1.0, 0.17 * np.sign(texture(9)), 0.0))
    for index, (reach, pattern, offset) in enumerate(kinds[: classes - 1]):
        side = (-1) ** index * reach * organ.radius * np.array([np.cos(towards), np.sin(towards)])
        lesions.append(blob(organ.center + side, rng.uniform(9, 12) * unit, pattern, offset))

    background = TISSUE + 0.05 * texture(70) + 0.025 * texture(14)
    vessels = _draw_vessels(rng, size=size, unit=unit)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    for without_organ in empty:
        shift, scale = rng.normal(0, 3.5 * unit, 2), rng.uniform(0.9, 1.1)
        drift = rng.normal(0, 1.5 * unit, 2)
        scene = [(0, _moved(b, rng, shift=drift, scale=1.0)) for b in distractors]
        parts = [(0, stand_in)] if without_organ else enumerate([organ, *lesions], start=1)
        for label, part in parts:
            away = (scale - 1) * (part.center - organ.center)  # lesions keep their place in it
            scene.append((label, _moved(part, rng, shift=shift + away, scale=scale)))

        grey = np.roll(background, np.rint(drift[::-1]).astype(int), axis=(0, 1))
        labels = np.zeros((size, size), np.uint8)
        for label, part in scene:
            depth = _depth_inside(part, size=size)
            cover = np.clip(depth + 0.5, 0, 1)
            grey = grey * (1 - cover) + (part.brightness + part.texture) * cover
            grey += rim * np.exp(-((depth / (1.5 * unit)) ** 2))
            labels[depth > 0] = label

        lamp_x, lamp_y, blur = rng.uniform((-0.35, -0.35, 0.5), (0.35, 0.35, 0.8))
        grey *= (1 - 0.35 * vessels) * (1.08 - 0.22 * ((x - lamp_x) ** 2 + (y - lamp_y) ** 2))
        grey = cv2.GaussianBlur(grey, (0, 0), blur * unit)
        grey *= rng.normal(1, 0.05, grey.shape)  # speckle
        image = grey[..., None] * tint + rng.normal(0, 0.015, (size, size, 3))  # (H, W, 3)
        yield np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8), labels


@dataclass(kw_only=True)
class Synthetic:
    """Generated organs as files under `root/<key>/`; `<key>` depends on all other arguments.

    The same arguments give the same bytes. A tenth of the frames have no organ and an empty mask.

    Args:
        root: where the data set's folder is made.
        frames: images of each patient, who is a group.
        size: side in pixels, at least 32.
        classes: name -> value in the mask files (1-255, distinct): the organ, then up to two
            lesions.
        ignore_value: not used; every source has it.
    """

    makes_files: ClassVar[bool] = True  # in `pairs`
    root: str | Path
    patients: int = 60
    frames: int = 5
    size: int = 128
    classes: dict[str, int]
    seed: int = 0
    ignore_value: int | None = None

    def __post_init__(self) -> None:
        patients, frames, size = self.patients, self.frames, self.size
        values = list(self.classes.values())
        if not 1 <= len(values) <= 3:
            raise ValueError(f"synthetic draws 1-3 classes, got {len(values)}")
        if len(set(values)) < len(values) or not all(1 <= value <= 255 for value in values):
            raise ValueError(f"class values must be distinct and in 1-255, got {values}")
        if size < 32 or min(patients, frames) < 1:  # smaller, the textures do not show
            raise ValueError(f"{size=} must be >= 32, {patients=} and {frames=} >= 1")
        recipe = [GENERATOR, patients, frames, size, list(self.classes.items()), self.seed]
        digest = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:8]
        self.root = Path(self.root).expanduser() / f"organs-{patients}x{frames}-{size}px-{digest}"

    def pairs(self) -> list[Pair]:
        """Every image with its mask, grouped by patient; the files are written at first use."""
        if not self.root.is_dir():
            self._write()
        return Folder(root=str(self.root), group=r"(patient\d+)").pairs()

    def _write(self) -> None:
        # Renamed only when complete: a killed run leaves a hidden folder, and of two processes at
        # once the slower uses the files of the faster.
        draft = self.root.with_name(f".{self.root.name}.{uuid4().hex}")
        try:
            self._draw_into(draft)
            draft.rename(self.root)
        except OSError:
            if not self.root.is_dir():
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _draw_into(self, folder: Path) -> None:
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        values = np.array([0, *self.classes.values()], np.uint8)
        ranks = np.random.default_rng(self.seed).permutation(self.patients * self.frames)
        empty_frames = ranks < round(EMPTY_FRACTION * len(ranks))
        for patient, empty in enumerate(empty_frames.reshape(self.patients, self.frames)):
            rng = np.random.default_rng([self.seed, patient])
            drawn = _draw_patient(rng, size=self.size, classes=len(self.classes), empty=empty)
            for frame, (image, labels) in enumerate(drawn):
                name = f"patient{patient:03d}_frame{frame:02d}.png"
                Image.fromarray(image).save(folder / "images" / name)
                Image.fromarray(values[labels]).save(folder / "masks" / name)
