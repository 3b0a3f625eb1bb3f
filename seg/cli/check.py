"""check(cfg): everything wrong in a configuration, at once, before data is read. Plain containers
only.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seg.cli import signatures
from seg.cli.ranges import RANGES, is_count, is_number
from seg.cli.signatures import SPLIT, nearest
from seg.data.split.draw import check_sizes

STAGE = {"loss", "optimizer", "scheduler", "max_epochs"}


def check(cfg: Mapping[str, Any], *, keys: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Every problem of a resolved configuration, a short line each; empty if it is sound.

    cfg: plain containers. keys, groups: what may stand at the top. Nothing is instantiated; the
        modules that `_target_` names are imported, after their names are found harmless.
    """
    top = [*keys, *groups]
    problems = [f"{key}: no such key{nearest(key, top)}" for key in cfg if key not in top]
    # of a run's config.yaml that an older version wrote
    problems += [f"{key}: missing; give +{key}=..." for key in keys if key not in cfg]
    problems += [
        f"{group}={cfg.get(group)}: must be a choice of the group, with its _target_"
        for group in groups
        if not isinstance(cfg.get(group), Mapping) or "_target_" not in cfg[group]
    ]
    problems += _stages(cfg) + _protocols(cfg)
    for path, node in _targets(cfg):
        problems += signatures.problems(path, node)
    problems += [
        f"{path}: refused, an escaped interpolation could build what was not checked"
        for path, text in _texts(cfg)
        if "${" in text
    ]
    for key, (holds, wanted) in RANGES.items():
        for path in (key, *(f"stages.{stage}.{key}" for stage in cfg.get("stages") or {})):
            found, value = _lookup(cfg, path)
            if not found or holds(value):
                continue
            if path == "dataset.root" and value is None and "_target_" not in cfg["dataset"]:
                continue  # of an evaluation: where it was in training
            if path == "threshold" and value is None and "input" in cfg:
                continue  # of a prediction: the model's own
            problems.append(f"{path}={value}: must be {wanted}")
    if isinstance(cfg.get("run"), list) and "input" not in cfg:
        problems.append(f"run={cfg['run']}: must be one run folder; seg.predict takes several")
    if "input" in cfg and cfg.get("output") is None:
        problems.append("output=null: must be a folder")
    if cfg.get("int8") and cfg.get("format") != "onnx":
        problems.append(f"int8={cfg['int8']}: only ONNX files are quantised; set format=onnx")
    problems += _classes(cfg) + _paths(cfg)
    problems += _split(cfg) if "dataset" in groups else []
    if cfg.get("early_stopping") is not None and cfg.get("stages"):
        problems.append("early_stopping: it ends the whole run, stages included; use one of both")
    problems += _schedule(cfg)
    return list(dict.fromkeys(problems))


def _schedule(cfg: Mapping[str, Any]) -> list[str]:
    spans, epochs = cfg.get("schedule_epochs"), _lookup(cfg, "trainer.max_epochs")[1]
    if spans is None:
        return []
    if cfg.get("stages"):
        return ["schedule_epochs: with stages, each has a schedule of its own length"]
    if is_count(spans, 1) and is_count(epochs, 1) and spans > epochs:
        return [f"schedule_epochs={spans}: must not be above trainer.max_epochs={epochs}"]
    return []


def unknown_below(cfg: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """A problem for each key of a plain section of a door that its own file does not have."""
    return [
        f"{name}.{key}: no such key{nearest(key, section)}"
        for name, section in known.items()
        if isinstance(section, Mapping) and section and isinstance(cfg.get(name), Mapping)
        for key in cfg[name]
        if key not in section and "_target_" not in cfg[name]
    ]


def _protocols(cfg: Mapping[str, Any]) -> list[str]:
    return [
        f"protocol.{name}: must be a choice of the group, with its _target_"
        for name, node in (cfg.get("protocol") or {}).items()
        if not isinstance(node, Mapping) or "_target_" not in node
    ]


def _lookup(cfg: Any, path: str) -> tuple[bool, Any]:
    for part in path.split("."):
        if not isinstance(cfg, Mapping) or part not in cfg:
            return False, None
        cfg = cfg[part]
    return True, cfg


def _targets(node: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from _targets(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _targets(value, f"{path}.{index}")


def _texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping | list):
        items = node.items() if isinstance(node, Mapping) else enumerate(node)
        for key, value in items:
            yield from _texts(value, f"{path}.{key}" if path else str(key))


def _stages(cfg: Mapping[str, Any]) -> list[str]:
    problems = []
    for name, stage in (cfg.get("stages") or {}).items():
        if not isinstance(stage, Mapping):
            problems.append(f"stages.{name}: must hold {', '.join(sorted(STAGE))}")
            continue
        problems += [
            f"stages.{name}.{k}: no such key{nearest(k, STAGE)}" for k in stage.keys() - STAGE
        ]
        problems += [f"stages.{name}.{k}: missing" for k in sorted(STAGE - stage.keys())]
        if "max_epochs" in stage and not is_count(stage["max_epochs"], 1):
            problems.append(
                f"stages.{name}.max_epochs={stage['max_epochs']}: must be a whole number from 1"
            )
    return problems


def _split(cfg: Mapping[str, Any]) -> list[str]:
    split = _lookup(cfg, "dataset.split")[1]
    if not isinstance(split, Mapping):
        return ["dataset.split: must hold " + ", ".join(sorted(SPLIT))]
    problems = [f"dataset.split.{key}: missing" for key in sorted(SPLIT - split.keys())]
    if not problems and is_number(split["val"]) and is_number(split["test"]):
        try:
            check_sizes(**{key: split[key] for key in ("val", "test", "folds", "fold")})
        except (TypeError, ValueError) as error:
            problems.append(str(error))
    given = split.get("file")
    if given is not None and not isinstance(given, str | Mapping):
        problems.append(f"dataset.split.file={given}: must be a file, a folder or split: FILE")
    else:
        files = [given] if isinstance(given, str) else (given or {}).values()
        problems += [
            f"dataset.split.file={file}: no such file"
            for file in files
            if not Path(str(file)).expanduser().exists()
        ]
    return problems


def _paths(cfg: Mapping[str, Any]) -> list[str]:
    problems = []
    for key in ("init_from", "resume", "against", "run"):
        for value in cfg[key] if isinstance(cfg.get(key), list) else [cfg.get(key)]:
            if value not in (None, "auto") and not Path(str(value)).expanduser().exists():
                problems.append(f"{key}={value}: no such file or folder")
    return problems


def _classes(cfg: Mapping[str, Any]) -> list[str]:
    found, classes = _lookup(cfg, "dataset.classes")
    if not found or classes is None:
        return []
    if not isinstance(classes, Mapping) or not classes:
        return [f"dataset.classes={classes}: must be null, or name: mask value"]
    return [
        f"dataset.classes.{name}: background is value 0 and not listed"
        for name, v in classes.items()
        if v in (0, [0])
    ]
