"""Download, verify, audit, split and plan. python -m seg.prepare dataset=folder dataset.root=DIR"""

from seg.launch import launch

if __name__ == "__main__":  # before the imports, so that help and refusals come at once
    launch("seg.prepare.prepare", config_name="prepare")

import dataclasses
import logging
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from seg.cli import build, compose
from seg.cli.files import build_source, require_data, source_keys
from seg.cli.flags import config_dir
from seg.data import cache_folder
from seg.data.errors import DataErrors
from seg.data.mirrored_classes import find_partners
from seg.data.near_duplicates.hash import near_pairs, stack
from seg.data.pairs import Pair
from seg.data.sources import Source, read_pairs
from seg.data.split import assign, file, groups_of
from seg.preparation import audit, plan
from seg.preparation.download import fetch, fetch_kaggle
from seg.preparation.loss_plan import is_thin
from seg.preparation.machine import choose_network, has_pretrained, time_machine
from seg.preparation.structure import measure
from seg.report import audit as views
from seg.report import figures
from seg.runs import atomic, split_table
from seg.runs.atomic import fresh_folder
from seg.training import progress
from seg.training.hardware import choose_hardware

log = logging.getLogger(__name__)

MIRRORED = 200  # masks that are looked at for classes that mirror each other


def prepare(cfg: DictConfig) -> None:
    """Describe one data set. Raises DataErrors with all that training would refuse."""
    cache_dir = Path(cfg.dataset.cache_dir).expanduser()
    if cfg.clear_cache:
        size = cache_folder.clear(cache_dir) / 1e6
        log.info("%s: %.1f MB of decoded data deleted", cache_dir, size)
        return
    download(cfg.dataset, build_source(cfg))
    build.name_classes(cfg)
    source = build_source(cfg)
    pairs, unpaired = read_pairs(source)
    shape = build.build_preprocessing(cfg, source)
    groups = groups_of(pairs, cfg.dataset.split.by)
    pairs = [dataclasses.replace(p, group=g) for p, g in zip(pairs, groups, strict=True)]
    facts = audit.scan(pairs, shape, progress=progress.with_bar)
    prints = stack([f.fingerprint for f in facts])
    near = near_pairs(prints, progress=progress.with_bar)
    folder = fresh_folder(Path(cfg.output_dir).expanduser().absolute() / "prepare" / cfg.name)
    labels, refused = draw_split(pairs, facts, near, compose.plain(cfg.dataset.split))
    content = audit.summarize(
        facts,
        splits=labels,
        near=near,
        classes=shape.classes,
        ignore_value=shape.ignore_value,
        image_size=shape.size,
        unpaired=unpaired,
        refused=refused,
        by_file=cfg.dataset.split.by == "file",
        class_map=audit.explain_values(facts, shape),
    )
    content["dataset"] = source_keys(cfg)  # what it is the audit of
    classes = shape.classes or content["discovered_classes"]
    read = audit.reader(pairs, dataclasses.replace(shape, classes=classes))
    partners = find_partners(list(classes or ()), readable_masks(read, facts, count=MIRRORED))
    narrow = audit.narrow_values(facts, shape.window)
    content["warnings"][:0] = audit.mirrored(partners)
    content["warnings"][:0] = [audit.finding("value range", narrow.text)] if narrow else []
    if cfg.against is not None:
        other = Path(cfg.against).expanduser()
        shared = audit.shared_images(facts, prints, other, progress=progress.with_bar)
        log.info("%s", shared["text"])
        content["warnings"][:0] = [shared] if shared["cases"] else []
    atomic.write_json(folder / "audit.json", content)
    if labels is not None:
        digests = [f.image_sha256 or "" for f in facts], [f.mask_sha256 or "" for f in facts]
        rows = file.rows(pairs, [f.group for f in facts], labels, *digests)
        atomic.write_csv(folder / split_table.FILE_NAME, [file.COLUMNS, *rows])
    views.show(content, Console())
    also = figures.formats(compose.plain(cfg)["figures"])
    views.contact_sheet(content, read, folder / "contact_sheet.png", also=also)
    views.distributions(content, folder / "distributions.png", also=also)
    log.info("%s: %s", folder, ", ".join(sorted(path.name for path in folder.iterdir())))
    if caches := cache_folder.cache_sizes(cache_dir):
        size = sum(size for _, size in caches) / 1e6
        log.info("%s: %.1f MB of decoded data (clear_cache=true deletes it)", cache_dir, size)
    refuse(content, planned=cfg.plan is not None)
    if cfg.plan is not None:
        window = narrow.window if narrow and narrow.window else cfg.dataset.window
        write_plan(cfg, facts, classes, labels, read, mirrored=bool(partners), window=window)


def readable_masks(
    read: audit.Read, facts: Sequence[audit.CaseFacts], *, count: int = 40
) -> Iterator[np.ndarray]:
    """Class indices (H, W) of about `count` cases with foreground."""
    return (mask for i in plan.sample(facts, count) if (mask := read(i)[1]) is not None)


def download(node: DictConfig, source: Source) -> None:
    """Download a data set that is not there, if the configuration has an address."""
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
        require_data(node, source)


def draw_split(
    pairs: Sequence[Pair],
    facts: Sequence[audit.CaseFacts],
    near: Sequence[tuple[int, int]],
    split: dict[str, Any],
) -> tuple[list[str] | None, list[str]]:
    """The labels that training would assign, and why it would refuse to."""
    try:
        _, labels = assign(
            pairs,
            foreground=[f.foreground or 0.0 for f in facts],
            image_sha256=[f.image_sha256 or f.case for f in facts],
            blank=[f.blank for f in facts],
            near=near,
            split=split,
        )
    except ValueError as error:
        preset = [pair.split or "" for pair in pairs]
        return (preset if all(preset) else None), [str(error)]
    return labels, []


def refuse(content: dict[str, Any], *, planned: bool) -> None:
    """Raise DataErrors for what training would refuse; classes that a plan names are no error."""
    errors = content["errors"]
    if planned and content["discovered_classes"]:
        errors = [e for e in errors if e["details"]]
    messages = [m for e in errors for m in e["details"] or [e["text"]]]
    if messages:
        raise DataErrors(messages)


def write_plan(
    cfg: DictConfig,
    facts: Sequence[audit.CaseFacts],
    classes: dict[str, Any] | None,
    labels: Sequence[str] | None,
    read: audit.Read,
    *,
    mirrored: bool,
    window: Any,
) -> None:
    """Write experiment/NAME.yaml in the folder of --config-dir, else in the current one."""
    outputs = compose.out_channels(classes, overlap=cfg.dataset.overlap)
    device = choose_hardware("auto", "auto")
    trained = (labels or []).count("train") or round(0.7 * len(facts))
    structures = measure(readable_masks(read, facts))
    network = choose_network(
        device, images=trained, is_thin=is_thin(structures.thinnest), pretrained=has_pretrained()
    )
    sizes = {"channels": cfg.dataset.channels, "outputs": outputs}
    machine = time_machine(device, network, **sizes, batch=8)
    text = plan.plan(
        facts,
        dataset=compose.plain(cfg.dataset) | {"window": window},
        choice=HydraConfig.get().runtime.choices.dataset,
        classes=classes,
        trained=trained,
        structures=structures,
        mirrored=mirrored,
        machine=machine,
        minutes=cfg.minutes,
        name=cfg.plan,
    )
    folder = config_dir() or Path()  # whose choices the plan may name
    path = plan.write(text, cfg.plan, folder.absolute())
    command = shlex.join(
        ["python", "-m", "seg.train", "--config-dir", str(folder), f"experiment={cfg.plan}"]
    )
    log.info("%s: planned; %s\n%s", path, command, text)
