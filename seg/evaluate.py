"""Score a checkpoint. python -m seg.evaluate run=RUN_DIR [split=test] [protocol=all] [tune=true]"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from seg.cli import build
from seg.data.sources import Source, read_pairs
from seg.evaluation import cases, score, summary
from seg.evaluation import tune as tuning
from seg.evaluation.stream import PredictedCase, stream
from seg.inference.load import Loader
from seg.inference.model import LoadedModel
from seg.inference.predictor import device_of
from seg.inference.segmentation import mask_of
from seg.launch import launch
from seg.report import diagnostics, panels, results
from seg.runs import atomic
from seg.runs.folder import RunFolder
from seg.training import checkpoint, progress
from seg.training.hardware import choose_hardware
from seg.trust import refuse_untrusted

log = logging.getLogger("seg.evaluate")  # __name__ is __main__ here

# cases -> each of them read and predicted, in order
Ask = Callable[[Sequence[cases.Case]], Iterator[PredictedCase]]


def evaluate(cfg: DictConfig) -> dict[str, Any]:
    """One checkpoint on one set of cases. Returns what its JSON holds."""
    hardware = choose_hardware(cfg.trainer.accelerator, cfg.trainer.precision)
    run = Path(cfg.run).expanduser().absolute()
    loader = Loader(
        build=partial(instantiate, _convert_="all"),
        trust=[cfg.trust] if isinstance(cfg.trust, str) else list(cfg.trust),
        device=device_of(hardware.accelerator),
        precision=hardware.precision,
    )
    network = loader.load_run(run, cfg.checkpoint)
    log.info("%s on %s", network.path, hardware.line)
    ask = partial(
        stream,
        predictor=network.predictor,
        shape=network.preprocessing,
        count=cfg.batch_size,
        progress=progress.with_bar,
    )
    if cfg.tune:
        network = tune(cfg, run, network, ask)
    found, name, ask = find_cases(cfg, run, network, ask)
    protocols = instantiate(cfg.protocol, _convert_="all")
    folder = Path(cfg.output).expanduser().absolute() if cfg.output else run / "evaluate" / name
    data = found[0].pair.image.parent
    warn_of_other_data(folder / f"{name}.json", data)
    with atomic.replacing_files(folder, last=f"{name}.json") as new:
        scores, figures, unit = score.score_cases(
            ask(found), network, protocols, tolerance=cfg.tolerance
        )
        binary = len(network.classes) == 1
        content = summary.summarize_evaluation(
            scores,
            network.classes,
            split=name,
            threshold=network.threshold if binary else None,
            postprocess=dict(network.postprocess),
            checkpoint=str(network.path),
            data=str(data),
            tolerance=cfg.tolerance,
            unit=unit,
            protocols=figures,
        )
        summary.write_scores(new / f"{name}_cases.csv", scores, network.classes)
        diagnostics.draw(scores, network.classes, content["threshold"], new)
        draw_panels(scores, network, found, ask, new / "panels", title=name)
        atomic.write_json(new / f"{name}.json", content)
    results.show_evaluation(content, folder, Console())
    return content


def own_source(run: Path, root: str | None) -> Source:
    """The data set that the run was made with, from `root` if it lies elsewhere now."""
    if not (run / "config.yaml").is_file():
        raise FileNotFoundError(f"{run}: no run folder, it has no config.yaml")
    node = RunFolder(run).get("dataset")
    refuse_untrusted(node, where=f"{run / 'config.yaml'}: dataset", trust=None)
    node = node | ({"root": root} if root is not None else {})
    return build.build_source(OmegaConf.create({"dataset": node}))


def find_cases(
    cfg: DictConfig, run: Path, network: LoadedModel, ask: Ask
) -> tuple[list[cases.Case], str, Ask]:
    """The cases, the name of their set, and how they are asked for: their masks' values may mean
    other things than those of the training.
    """
    if "_target_" not in cfg.dataset:
        found = read_pairs(own_source(run, cfg.dataset.root))
        table = run / "split.csv"
        return cases.of_run(found, table, cfg.split, progress=progress.with_bar), cfg.split, ask
    source = build.build_source(cfg)
    build.require_data(cfg.dataset, source)
    shape, given = network.preprocessing, build.build_preprocessing(cfg, source)
    shape = replace(
        shape,
        classes=given.classes,
        ignore_value=given.ignore_value,
        window=shape.window if given.window is None else given.window,
    )
    table = cases.match_classes(network.classes, list(source.classes or {"foreground": 255}))
    name = HydraConfig.get().runtime.choices.dataset
    return cases.of_set(read_pairs(source)), name, partial(ask, shape=shape, table=table)


def warn_of_other_data(path: Path, data: Path) -> None:
    """A word on earlier results of this name that are of other images, and will be replaced."""
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8")).get("data")
        if before != str(data):
            log.warning("%s: its results of %s are replaced; output=DIR keeps both", path, before)


def draw_panels(
    scores: score.CaseScores,
    network: LoadedModel,
    found: Sequence[cases.Case],
    ask: Ask,
    folder: Path,
    *,
    title: str,
) -> None:
    """Pictures of the worst, the median and the best cases; they are predicted once more."""
    for kind, rows in summary.worst_median_best(scores.counts, build.PANEL_ROWS).items():
        shown = list(ask([found[i] for i in rows]))
        names = [f"{'FAILED ' * bool(scores.failed[i])}{scores.cases[i]}" for i in rows]
        masks = [mask_of(seen.probs, network) for seen in shown]
        for mask, seen, i in zip(masks, shown, rows, strict=True):
            if scores.failed[i]:  # nothing in it is right
                mask[:] = seen.reference == 0
        panels.draw(
            names,
            [seen.image for seen in shown],
            [seen.reference for seen in shown],
            masks,
            f"{title}, {kind} cases",
            folder / f"{kind}.png",
            class_names=network.classes,
        )


def tune(cfg: DictConfig, run: Path, network: LoadedModel, ask: Ask) -> LoadedModel:
    """Choose threshold and clean-up on the run's validation cases; store them in the checkpoint."""
    root = None if "_target_" in cfg.dataset else cfg.dataset.root
    table = run / "split.csv"
    found = cases.of_run(
        read_pairs(own_source(run, root)), table, "val", progress=progress.with_bar
    )
    chosen = tuning.tune(
        lambda: ask(found), classes=network.classes, threshold=network.config["threshold"]
    )
    kept = {"threshold": chosen.threshold, "postprocess": chosen.postprocess}
    content = checkpoint.read(network.path)
    content["seg"] |= kept
    checkpoint.write_atomically(content, network.path)
    log.info(
        "%s: tuned on %d validation cases, Dice %.4f -> %.4f:\n  %s",
        network.path, len(found), chosen.before, chosen.after, "\n  ".join(chosen.lines),
    )  # fmt: skip
    return replace(network, **kept)


if __name__ == "__main__":
    launch(evaluate, config_name="evaluate")
