"""Findings that deserve a look."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from seg.data.pairs import group_of
from seg.preparation.audit import identifiers
from seg.preparation.audit.facts import GEOMETRY
from seg.preparation.audit.findings import Context, are, counted, finding
from seg.preparation.audit.groups import suggest_group
from seg.preparation.audit.measures import TINY_PIXELS


def pair_warnings(c: Context, orphans: Sequence[Path | str]) -> Iterator[dict]:
    def labels(i: int) -> str | None:
        return c.facts[i].labels_sha256 or c.facts[i].mask_sha256

    contradictory = [(i, j) for i, j in c.equal if labels(i) != labels(j)]
    agreeing = [pair for pair in c.equal if pair not in set(contradictory)]
    if contradictory:
        text = (
            f"contradictory annotation: {are(len(contradictory), 'image')} there again, equal "
            "to the byte, with another mask"
        )
        yield c.on_pairs("other mask", text, contradictory)
    if agreeing:
        text = f"{are(len(agreeing), 'image')} there again, equal to the byte: keep one"
        yield c.on_pairs("duplicate", text, agreeing)
    # Frames of one patient look alike, and no split parts them.
    strangers = [(i, j) for i, j in c.near if c.facts[i].group != c.facts[j].group]
    apart = [(i, j) for i, j in strangers if c.splits and c.splits[i] != c.splits[j]]
    within = [pair for pair in strangers if pair not in set(apart)]
    if apart:
        text = f"{counted(len(apart), 'pair')} of images that look alike, in two splits"
        yield c.on_pairs("near, two splits", text, apart)
    if within:
        text = f"{counted(len(within), 'pair')} of images that look alike, in different groups"
        yield c.on_pairs("near duplicate", text, within)
    if orphans:
        text = f"{counted(len(orphans), 'mask')} without an image, not used"
        yield finding("orphan", text, [c.short(str(path)) for path in orphans])


def mask_warnings(c: Context) -> Iterator[dict]:
    known = c.where(lambda f: f.foreground is not None)
    if full := c.where(lambda f: f.foreground == 1):
        yield c.on_masks("full mask", f"{are(len(full), 'mask')} full of foreground", full)
    # A photographed object may fill the frame, but then it also fills most of the picture.
    if framed := c.where(lambda f: (f.frame or 0) > 0.95 and (f.foreground or 1) < 0.9):
        text = f"{are(len(framed), 'mask')} foreground all along the frame: inverted?"
        yield c.on_masks("inverted?", text, framed)
    if empty := c.where(lambda f: f.empty):
        share = 100 * len(empty) / len(known)
        text = f"{are(len(empty), 'mask')} empty ({share:.0f} %)"
        yield c.on_masks("empty mask", text, empty)
    if lossy := c.where(lambda f: f.lossy and f.class_pixels is not None):
        grey = np.array([c.facts[i].greys for i in lossy], dtype=np.int64)  # (N, 3)
        share = grey[:, 1].sum() / grey.sum()
        cut = f"{100 * share:.2g} % of the pixels are neither black nor white, and cut at 128; "
        text = f"{are(len(lossy), 'mask')} lossy JPEG: {cut if share else ''}PNG is exact"
        yield c.on_masks("JPEG mask", text, lossy)
    for attribute, noun in (("specks", "specks"), ("pinholes", "holes")):
        found = c.where(lambda f, attribute=attribute: getattr(f, attribute) > 0)
        found.sort(key=lambda i: -getattr(c.facts[i], attribute))
        if found:
            count = sum(getattr(c.facts[i], attribute) for i in found)
            text = (
                f"{counted(len(found), 'mask')} with {noun} of {TINY_PIXELS} pixels or less "
                f"({count} in all, worst first)"
            )
            yield c.on_masks(noun, text, found)
    yield from _class_warnings(c)


def _class_warnings(c: Context) -> Iterator[dict]:
    known = [(i, p) for i, p in enumerate(c.pixels) if p is not None]
    foreground = sum(sum(p[1:]) for _, p in known)
    for k, name in enumerate(c.names, start=1):
        held = [i for i, p in known if p[k]]
        share = sum(p[k] for _, p in known) / max(foreground, 1)
        if known and not held:
            yield finding("absent class", f"class {name}: in no mask")
        elif len(c.names) > 1 and (share < 0.001 or len(held) < 0.05 * len(known)):
            text = (
                f"class {name} is rare: {100 * share:.2g} % of the foreground, in "
                f"{counted(len(held), 'mask')}"
            )
            yield c.on_masks("rare class", text, held)


def image_warnings(c: Context) -> Iterator[dict]:
    if constant := c.where(lambda f: f.deviation is not None and f.deviation < 1.5):
        text = f"{are(len(constant), 'image')} of one grey, or nearly"
        yield c.on_images("constant image", text, constant)
    means = np.array([f.mean for f in c.facts if f.mean is not None])
    if len(means) >= 10:
        centre = float(np.median(means))
        # A normal set's deviation; not less than a step in exposure, lest a uniform set cry wolf.
        spread = max(1.4826 * float(np.median(np.abs(means - centre))), 5.0)
        far = c.where(lambda f: f.mean is not None and abs(f.mean - centre) > 6 * spread)
        if far:
            far.sort(key=lambda i: -abs(c.facts[i].mean - centre))
            text = f"{are(len(far), 'image')} much darker or brighter than the others"
            yield c.on_images("brightness", text, far)
    turned = c.where(lambda f: f.orientation != 1 and not f.has(GEOMETRY))
    if turned:
        text = f"{are(len(turned), 'image')} turned by EXIF, which is not applied: save upright"
        yield c.on_images("EXIF-turned", text, turned)
    grey = c.where(lambda f: "grey" in f.kind or "1-bit" in f.kind)
    colour = c.where(lambda f: "RGB" in f.kind)
    if grey and colour:
        few, which = (grey, "grey") if len(grey) <= len(colour) else (colour, "colour")
        others = "colour" if which == "grey" else "grey"
        text = f"{counted(len(few), f'{which} image')} among {others} ones"
        yield c.on_images(f"{which} among {others}", text, few)
    yield from _size_warnings(c)


def _size_warnings(c: Context) -> Iterator[dict]:
    sized = c.where(lambda f: f.size is not None)
    if not sized:
        return
    sides = {i: math.sqrt(math.prod(c.facts[i].size)) for i in sized}
    aspects = {i: c.facts[i].size[1] / c.facts[i].size[0] for i in sized}
    for kind, of, limit, what in (
        ("size", sides, 3, "side lengths differ"),
        ("aspect", aspects, 1.6, "width to height, which resizing distorts, differs"),
    ):
        ends = min(sized, key=of.get), max(sized, key=of.get)
        ratio = of[ends[1]] / of[ends[0]]
        if ratio >= limit:
            first, last = ("{1}x{0}".format(*c.facts[i].size) for i in ends)
            text = f"{what} {ratio:.1f} times, from {first} to {last}"
            yield c.on_images(kind, text, ends)
    if c.image_size is not None:
        small = [i for i in sized if 2 * max(c.facts[i].size) <= max(c.image_size)]
        if small:
            height, width = c.image_size
            text = (
                f"{are(len(small), 'image')} less than half of the training size "
                f"{width}x{height}: enlarged, not sharper"
            )
            yield c.on_images("small image", text, small)


def set_warnings(c: Context) -> Iterator[dict]:
    groups = {f.group for f in c.facts}
    if len(c.facts) < 30:
        yield finding("few cases", f"{counted(len(c.facts), 'case')} only: figures will vary")
    elif len(groups) < 10:
        text = f"{counted(len(groups), 'group')} only: figures will vary with the split"
        yield finding("few groups", text)
    if all(f.group == f.case for f in c.facts) and (
        rule := suggest_group([f.case for f in c.facts])
    ):
        example = group_of(c.facts[0].case, rule)
        text = (
            "every image is its own group, but the names look like several of a patient: "
            f"dataset.group='{rule}' (the first would be '{example}')"
        )
        yield finding("groups", text)
    names = [f.case for f in c.facts]
    masks = [(f.image.stem, c.short(f.mask)) for f in c.facts]
    names += [m for stem, m in masks if stem not in m and not Path(m).is_absolute()]
    if found := identifiers.find(names):
        files = list(dict.fromkeys(name for kind in found.values() for name in kind))
        yield finding("identifiers", identifiers.sentence(found), details=files)
