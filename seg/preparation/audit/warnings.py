"""Findings that deserve a look, though training accepts them."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from seg.data import Progress, value_ranges
from seg.data.formats.intensity import Window
from seg.data.mirrored_classes import Partners
from seg.data.naming import suggest_group
from seg.data.near_duplicates.hash import Fingerprints, near_pairs, stack
from seg.data.pairs import group_of
from seg.preparation.audit import identifiers
from seg.preparation.audit.facts import GEOMETRY, TINY_PIXELS, CaseFacts
from seg.preparation.audit.findings import AuditedSet, are, counted, finding
from seg.preparation.audit.reading import fingerprints, images_below


def pair_warnings(data: AuditedSet) -> Iterator[dict]:
    """Images that are equal or look alike."""

    def labels(i: int) -> str | None:
        return data.facts[i].labels_sha256 or data.facts[i].mask_sha256

    contradictory = [(i, j) for i, j in data.equal if labels(i) != labels(j)]
    agreeing = [pair for pair in data.equal if pair not in set(contradictory)]
    if contradictory:
        text = (
            f"contradictory annotation: {are(len(contradictory), 'image')} there again, equal "
            "to the byte, with another mask"
        )
        yield data.on_pairs("other mask", text, contradictory)
    if agreeing:
        text = f"{are(len(agreeing), 'image')} there again, equal to the byte: keep one"
        yield data.on_pairs("duplicate", text, agreeing)
    # Frames of one patient look alike, and no split separates them.
    near = [(i, j) for i, j in data.near if data.facts[i].group != data.facts[j].group]
    apart = [(i, j) for i, j in near if data.splits and data.splits[i] != data.splits[j]]
    within = [pair for pair in near if pair not in set(apart)]
    if apart:
        text = f"{counted(len(apart), 'pair')} of images that look alike, in two splits"
        yield data.on_pairs("near, two splits", text, apart)
    if within:
        text = (
            f"{counted(len(within), 'pair')} of images that look alike, in different groups, which "
            "are kept in one split"
        )
        yield data.on_pairs("near duplicate", text, within)


def mask_warnings(data: AuditedSet) -> Iterator[dict]:
    """Masks that are empty, full, inverted, lossy or have specks; classes that are rare."""
    readable = data.where(lambda f: f.foreground is not None)
    if full := data.where(lambda f: f.foreground == 1):
        yield data.on_masks("full mask", f"{are(len(full), 'mask')} full of foreground", full)
    # A photographed object may fill the frame, but then it also fills most of the picture.
    if framed := data.where(lambda f: (f.frame or 0) > 0.95 and (f.foreground or 1) < 0.9):
        text = f"{are(len(framed), 'mask')} foreground all along the frame: inverted?"
        yield data.on_masks("inverted?", text, framed)
    if empty := data.where(lambda f: f.empty):
        share = 100 * len(empty) / len(readable)
        text = f"{are(len(empty), 'mask')} empty ({share:.0f} %)"
        yield data.on_masks("empty mask", text, empty)
    if lossy := data.where(lambda f: f.lossy and f.class_pixels is not None):
        greys = np.array([data.facts[i].greys for i in lossy], dtype=np.int64)  # (N, 3)
        share = greys[:, 1].sum() / greys.sum()
        cut = f"{100 * share:.2g} % of the pixels are neither black nor white, and cut at 128; "
        text = f"{are(len(lossy), 'mask')} lossy JPEG: {cut if share else ''}PNG is exact"
        yield data.on_masks("JPEG mask", text, lossy)
    for attribute, noun in (("specks", "specks"), ("pinholes", "holes")):
        counts = {i: getattr(f, attribute) for i, f in enumerate(data.facts)}
        cases = sorted((i for i, n in counts.items() if n > 0), key=lambda i: -counts[i])
        if cases:
            text = (
                f"{counted(len(cases), 'mask')} with {noun} of {TINY_PIXELS} pixels or less "
                f"({sum(counts.values())} in all, worst first)"
            )
            yield data.on_masks(noun, text, cases)
    yield from _class_warnings(data)


def _class_warnings(data: AuditedSet) -> Iterator[dict]:
    masks = [(i, p) for i, p in enumerate(data.pixels) if p is not None]
    foreground = sum(sum(p[1:]) for _, p in masks)
    for k, name in enumerate(data.names, start=1):
        cases = [i for i, p in masks if p[k]]
        share = sum(p[k] for _, p in masks) / max(foreground, 1)
        if masks and not cases:
            yield finding("absent class", f"class {name}: in no mask")
        elif len(data.names) > 1 and (share < 0.001 or len(cases) < 0.05 * len(masks)):
            text = (
                f"class {name} is rare: {100 * share:.2g} % of the foreground, in "
                f"{counted(len(cases), 'mask')}"
            )
            yield data.on_masks("rare class", text, cases)


def image_warnings(data: AuditedSet) -> Iterator[dict]:
    """Images that differ from the others in brightness, orientation, colour or size."""
    if constant := data.where(lambda f: f.deviation is not None and f.deviation < 1.5):
        text = f"{are(len(constant), 'image')} of one grey, or nearly"
        yield data.on_images("constant image", text, constant)
    means = {i: f.mean for i, f in enumerate(data.facts) if f.mean is not None}
    if len(means) >= 10:
        centre = float(np.median(list(means.values())))
        distance = {i: abs(mean - centre) for i, mean in means.items()}
        # The standard deviation of a normal set (1.4826 times the median distance), but at least
        # a step in exposure, so that a very uniform set gives no warning.
        deviation = max(1.4826 * float(np.median(list(distance.values()))), 5.0)
        far = sorted((i for i in means if distance[i] > 6 * deviation), key=lambda i: -distance[i])
        if far:
            text = f"{are(len(far), 'image')} much darker or brighter than the others"
            yield data.on_images("brightness", text, far)
    turned = data.where(lambda f: f.orientation != 1 and not f.has_fault(GEOMETRY))
    if turned:
        text = f"{are(len(turned), 'image')} turned by EXIF, which is not applied: save upright"
        yield data.on_images("EXIF-turned", text, turned)
    grey = data.where(lambda f: "grey" in f.kind or "1-bit" in f.kind)
    colour = data.where(lambda f: "RGB" in f.kind)
    if grey and colour:
        few, which = (grey, "grey") if len(grey) <= len(colour) else (colour, "colour")
        others = "colour" if which == "grey" else "grey"
        text = f"{counted(len(few), f'{which} image')} among {others} ones"
        yield data.on_images(f"{which} among {others}", text, few)
    yield from _size_warnings(data)


def _size_warnings(data: AuditedSet) -> Iterator[dict]:
    sizes = {i: f.size for i, f in enumerate(data.facts) if f.size is not None}
    if not sizes:
        return
    sides = {i: math.sqrt(math.prod(size)) for i, size in sizes.items()}
    aspects = {i: width / height for i, (height, width) in sizes.items()}
    for kind, values, limit, what in (
        ("size", sides, 3, "side lengths differ"),
        ("aspect", aspects, 1.6, "width to height, which resizing distorts, differs"),
    ):
        smallest, largest = min(sizes, key=values.get), max(sizes, key=values.get)
        ratio = values[largest] / values[smallest]
        if ratio >= limit:
            first, last = ("{1}x{0}".format(*sizes[i]) for i in (smallest, largest))
            text = f"{what} {ratio:.1f} times, from {first} to {last}"
            yield data.on_images(kind, text, (smallest, largest))
    if data.image_size is not None:
        height, width = data.image_size
        small = [i for i, size in sizes.items() if 2 * max(size) <= max(height, width)]
        if small:
            text = (
                f"{are(len(small), 'image')} less than half of the training size "
                f"{width}x{height}: enlarged, not sharper"
            )
            yield data.on_images("small image", text, small)


def set_warnings(data: AuditedSet) -> Iterator[dict]:
    """Few cases or groups, a grouping that the names suggest, names that identify people."""
    groups = {f.group for f in data.facts}
    if len(data.facts) < 30:
        text = f"{counted(len(data.facts), 'case')} only: figures will vary"
        yield finding("few cases", text)
    elif len(groups) < 10:
        text = f"{counted(len(groups), 'group')} only: figures will vary with the split"
        yield finding("few groups", text)
    names = [f.case for f in data.facts]
    ungrouped = not data.by_file and all(f.group == f.case for f in data.facts)
    rule = suggest_group(names) if ungrouped else None
    if rule:
        text = (
            "every image is its own group, but the names look like several of a patient: "
            f"dataset.group='{rule}' (the first would be '{group_of(names[0], rule)}')"
        )
        yield finding("groups", text)
    masks = [(f.pair.image.stem, data.short(p)) for f in data.facts for p in f.pair.mask_paths]
    names += [m for stem, m in masks if stem not in m and not Path(m).is_absolute()]
    if by_kind := identifiers.find(names):
        files = list(dict.fromkeys(name for kind in by_kind.values() for name in kind))
        yield finding("identifiers", identifiers.sentence(by_kind), details=files)


def mirrored(partners: Sequence[Partners]) -> list[dict]:
    """A finding on each pair of classes that are exchanged by mirror images."""
    fix = "train without flips, augmentation=rotate_zoom"
    return [finding("mirrored classes", f"classes {pair}: {fix}") for pair in partners]


def narrow_values(facts: Sequence[CaseFacts], window: Window) -> value_ranges.Finding | None:
    """What is wrong where many images are nearly black, white or grey; blank ones do not count."""
    lit = [f for f in facts if f.histogram is not None and f.deviation]
    lit = lit[:: max(1, len(lit) // value_ranges.SAMPLE)]
    pairs, histograms = [f.pair for f in lit], [f.histogram for f in lit]
    bands = list(value_ranges.bands_of_histograms(pairs, histograms))
    return value_ranges.examine(bands, window)


def shared_images(
    facts: Sequence[CaseFacts], prints: Fingerprints, folder: Path, *, progress: Progress
) -> dict:
    """A finding on the cases whose image, or nearly the same, is below another folder too."""
    files = images_below(folder)
    if not files:
        raise FileNotFoundError(f"against={folder}: no images in it or below it")
    pairs = near_pairs(prints, stack(fingerprints(files, progress=progress)), progress=progress)
    cases = list(dict.fromkeys(i for i, _ in pairs))
    text = f"{len(cases)} of {len(facts)} images are in {folder} as well"
    names = [f"{facts[i].case} = {files[j].relative_to(folder)}" for i, j in pairs]
    return finding("in both sets", text, names, cases)
