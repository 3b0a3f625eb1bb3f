"""Download, verify, audit, split and plan. python -m seg.prepare dataset=folder dataset.root=DIR"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from seg.cli import build, compose
from seg.data import cache_folder
from seg.data.errors import DataErrors
from seg.data.near_duplicates import hash
from seg.data.pairs import Pair
from seg.data.sources import Source, read_pairs
from seg.data.split import assign, file
from seg.launch import launch
from seg.preparation import audit, plan
from seg.preparation.download import fetch, fetch_kaggle
from seg.report import audit as pictures
from seg.runs import atomic
from seg.runs.atomic import fresh_folder
from seg.training import progress
from seg.training.hardware import choose_hardware

log = logging.getLogger("seg.prepare")  # __name__ is __main__ here


def prepare(cfg: DictConfig) -> None:
    """One data set: there, whole, described. Raises DataErrors with all that training refuses."""
    decoded = Path(cfg.dataset.cache_dir).expanduser()
    if cfg.clear_cache:
        log.info("%s: %.1f MB of decoded data deleted", decoded, cache_folder.clear(decoded) / 1e6)
        return
    source = build.build_source(cfg)
    get(cfg, source)
    folder = fresh_folder(Path(cfg.output_dir).expanduser().absolute() / "prepare" / cfg.name)
    pairs, unpaired = read_pairs(source)
    shape = build.build_preprocessing(cfg, source)
    reading = {
        "channels": shape.channels,
        "classes": shape.classes,
        "ignore_value": shape.ignore_value,
        "window": shape.window,
    }
    facts = audit.scan(pairs, progress=progress.with_bar, **reading)
    mine = hash.stack([f.fingerprint for f in facts])
    near = hash.near_pairs(mine, progress=progress.with_bar)
    labels, refused = draw_split(pairs, facts, near, compose.plain(cfg.dataset.split))
    found = audit.summarize(
        facts,
        splits=labels,
        near=near,
        classes=shape.classes,
        ignore_value=shape.ignore_value,
        image_size=shape.size,
        unpaired=unpaired,
        refused=refused,
    )
    if cfg.against is not None:
        shared = shared_images(facts, mine, Path(cfg.against).expanduser())
        found["warnings"] = [*shared, *found["warnings"]]
    atomic.write_json(folder / "audit.json", found)
    if labels is not None:
        hashes = [f.image_sha256 or "" for f in facts], [f.mask_sha256 or "" for f in facts]
        groups = [f.group for f in facts]
        rows = file.rows(pairs, groups, labels, *hashes)
        file.write(folder / "split.csv", rows)
    pictures.show(found, Console())
    classes = shape.classes or found["discovered_classes"]
    read = audit.reader(pairs, **reading | {"classes": classes})
    pictures.contact_sheet(found, read, folder / "contact_sheet.png")
    pictures.distributions(found, folder / "distributions.png")
    log.info("%s: audit.json, split.csv, contact_sheet.png, distributions.png", folder)
    kept = cache_folder.cache_sizes(decoded)
    if kept:
        size = sum(size for _, size in kept) / 1e6
        log.info("%s: %.1f MB of decoded data (clear_cache=true deletes it)", decoded, size)
    refuse(found, planned=cfg.plan is not None)
    if cfg.plan is not None:
        write_plan(cfg, facts, classes, labels, read)


def get(cfg: DictConfig, source: Source) -> None:
    """Download what is not there, where the configuration knows an address."""
    node = cfg.dataset
    if not hasattr(source, "has_layout") or (source.root.is_dir() and any(source.root.iterdir())):
        return
    if node.url is not None:
        with progress.download_bar() as bar:
            fetch(
                url=node.url, sha256=node.sha256, mirrors=list(node.mirrors), folder=source.root,
                has_layout=source.has_layout, progress=bar,
            )  # fmt: skip
    elif node.kaggle is not None:
        fetch_kaggle(handle=node.kaggle, folder=source.root, has_layout=source.has_layout)
    else:
        build.require_data(node, source)


def draw_split(
    pairs: Sequence[Pair],
    facts: Sequence[audit.CaseFacts],
    near: Sequence[tuple[int, int]],
    keys: dict[str, Any],
) -> tuple[list[str] | None, list[str]]:
    """The split that training would draw, or why it would refuse to."""
    try:
        _, labels = assign(
            pairs,
            foreground=[f.foreground or 0.0 for f in facts],
            image_sha256=[f.image_sha256 or f.case for f in facts],
            near=near,
            split=keys,
        )
    except ValueError as error:
        given = [pair.split for pair in pairs]
        return ([s or "" for s in given] if all(given) else None), [str(error)]
    return labels, []


def shared_images(
    facts: Sequence[audit.CaseFacts], mine: hash.Fingerprints, other: Path
) -> list[dict[str, Any]]:
    """A finding on the cases whose image, or nearly the same, lies below another folder as well."""
    files = audit.pictures_below(other)
    if not files:
        raise FileNotFoundError(f"against={other}: no images in it or below it")
    theirs = hash.stack(audit.fingerprints(files, progress=progress.with_bar))
    pairs = hash.near_pairs(mine, theirs, progress=progress.with_bar)
    cases = list(dict.fromkeys(i for i, _ in pairs))
    text = f"{len(cases)} of {len(facts)} images are in {other} as well"
    log.info("%s", text)
    names = [f"{facts[i].case} = {files[j].relative_to(other)}" for i, j in pairs]
    found = {"kind": "in both sets", "text": text, "files": names, "cases": cases, "details": []}
    return [found] if pairs else []


def refuse(found: dict[str, Any], *, planned: bool) -> None:
    """Raises DataErrors with what training would refuse; classes that a plan names are no error."""
    errors = found["errors"]
    if planned and found["discovered_classes"]:
        errors = [e for e in errors if e["details"]]
    messages = [m for e in errors for m in e["details"] or [e["text"]]]
    if messages:
        raise DataErrors(messages)


def write_plan(
    cfg: DictConfig,
    facts: Sequence[audit.CaseFacts],
    classes: dict[str, Any] | None,
    labels: Sequence[str] | None,
    read: Callable[[int], tuple[Any, Any]],
) -> None:
    """experiment/NAME.yaml in the folder where the command was started."""
    hardware = choose_hardware("auto", "auto")
    outputs = compose.out_channels(classes)
    machine = plan.time_machine(hardware, channels=3, outputs=outputs, batch=8)
    some = [read(i)[1] for i in plan.spread(facts)]
    text = plan.plan(
        facts,
        dataset=compose.plain(cfg.dataset),
        choice=HydraConfig.get().runtime.choices.dataset,
        classes=classes,
        trained=(labels or []).count("train") or round(0.7 * len(facts)),
        structure=plan.structure_width(mask for mask in some if mask is not None),
        machine=machine,
        minutes=cfg.minutes,
        name=cfg.plan,
    )
    path = plan.write(text, cfg.plan, Path.cwd())
    log.info(
        "%s: planned; python -m seg.train --config-dir . experiment=%s\n%s", path, cfg.plan, text
    )


if __name__ == "__main__":
    launch(prepare, config_name="prepare")
