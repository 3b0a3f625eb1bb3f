"""`datasets`: the data sets of one command, each by its name and what `dataset=` would take.

`[test, wbc]`, `{test: null, native: {dataset: kvasir, root: DIR}}`, or a YAML file with such a map.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from seg.cli.compose import ConfigError
from seg.cli.rules import NAME
from seg.data.split.draw import SPLITS

Datasets = dict[str, dict[str, Any]]  # the keys of each; none where its name says all
_PLAIN = re.compile(r"[A-Za-z_/~.][\w./~-]*")  # a text that Hydra reads as itself
_TYPED = re.compile(r"(?i)null|true|false|nan|inf")
CHOOSING = ("dataset", "split", "tta", "tta_check")
WANTED = "[NAME, ...], {NAME: {dataset: CHOICE, root: DIR, ...}}, or a YAML file of that"


def read_datasets(value: Any) -> Datasets:
    """The data sets by name.

    Args:
        value: of the key `datasets`.
    Raises:
        ConfigError: it is none of the three forms, or its file cannot be read.
    """
    if isinstance(value, str):
        if not value.endswith((".yaml", ".yml")):
            value = [value]
        else:
            try:
                value = yaml.safe_load(Path(value).expanduser().read_text(encoding="utf-8"))
            except (OSError, ValueError, yaml.YAMLError) as error:
                reason = getattr(error, "strerror", None) or " ".join(str(error).split())
                raise ConfigError([f"datasets={value}: cannot be read ({reason})"]) from None
            if isinstance(value, Mapping) and list(value) == ["datasets"]:
                value = value["datasets"]
    datasets: Datasets = {}
    for part in value if isinstance(value, list) else [value]:
        named = {part: None} if isinstance(part, str) else part
        if not isinstance(named, Mapping) or not named:
            raise ConfigError([f"datasets: must be {WANTED}"])
        datasets |= {str(name): keys or {} for name, keys in named.items()}
    if not datasets:
        raise ConfigError([f"datasets: must be {WANTED}"])
    problems = [line for name, keys in datasets.items() for line in _problems(name, keys)]
    if problems:
        raise ConfigError(problems)
    return datasets


def conflicts(cfg: Mapping[str, Any], command: str) -> Iterator[str]:
    """What is wrong with `datasets`, or cannot go together with it and with `runs`."""
    if cfg["datasets"] is not None:
        try:
            read_datasets(cfg["datasets"])
        except ConfigError as error:
            yield from error.problems
    yield from {"compare": _of_comparison, "evaluate": _of_evaluation}[command](cfg)


def _of_comparison(cfg: Mapping[str, Any]) -> Iterator[str]:
    if cfg["datasets"] is not None and cfg["source"] != "test":
        yield f"source={cfg['source']}: datasets=[...] says which results are read; remove one"


def _of_evaluation(cfg: Mapping[str, Any]) -> Iterator[str]:
    runs, datasets, dataset = cfg["runs"], cfg["datasets"], cfg["dataset"]
    if cfg["run"] is not None and runs is not None:
        yield "runs: give run=RUN_DIR or runs=GLOB, not both"
    if datasets is not None and cfg["split"] != "test":
        yield f"split={cfg['split']}: name it in datasets=[{cfg['split']},...] instead"
    if datasets is not None and ("_target_" in dataset or dataset.get("root") is not None):
        yield "dataset: name it in datasets=[...] instead, with its keys"
    if runs is None and datasets is None:
        if cfg["again"] is True:
            yield "again: a single evaluation is always made again; remove the key"
        return
    if cfg["output"] is not None:
        yield "output: the results would replace one another; remove the key"
    if cfg["tune"]:
        yield "tune: it changes a checkpoint; tune each run first, with run=RUN_DIR tune=true"
    if cfg["checkpoint"] not in ("best", "last"):
        yield "checkpoint: with runs= or datasets= it is best or last"


def _problems(name: str, keys: Any) -> Iterator[str]:
    if not NAME.allows(name) or "/" in name or "\\" in name:
        yield f"datasets.{name}: a name becomes a folder; it must have no / and no .."
    elif not isinstance(keys, Mapping):
        yield f"datasets.{name}={keys}: must hold keys of dataset, such as root: DIR"
    elif name in SPLITS and keys.keys() - {"root"}:
        yield f"datasets.{name}: the run's own split, which takes root alone; choose another name"


def overrides(name: str, keys: Mapping[str, Any]) -> list[str]:
    """What follows `seg.evaluate run=RUN` to score one of the data sets."""
    rest = {f"dataset.{key}": value for key, value in keys.items() if key != "dataset"}
    if name in SPLITS:
        first = [] if name == "test" else [f"split={name}"]
    else:
        first = [f"dataset={as_override(keys.get('dataset', name))}"]
        rest = {"dataset.name": name} | rest
    if rest.get("dataset.root") is not None:  # also for a command that is given elsewhere, later
        rest["dataset.root"] = os.path.abspath(Path(str(rest["dataset.root"])).expanduser())
    return [*first, *(f"{key}={as_override(value)}" for key, value in rest.items())]


def as_given(lines: Sequence[str], root: str | None, flags: Sequence[str] = ()) -> list[str]:
    """What chose the cases of an evaluation and their views, among its overrides.

    Args:
        lines: the overrides of the command.
        root: `dataset.root`, which becomes an absolute path.
        flags: of the command; a data set that is chosen may be known with them alone.
    """
    keys = {line: line.lstrip("+").partition("=")[0] for line in lines}
    given = [line for line, key in keys.items() if key in CHOOSING or key.startswith("dataset.")]
    given = [line for line in given if keys[line] != "dataset.root"]
    if root is not None:
        given.append(f"dataset.root={as_override(os.path.abspath(Path(root).expanduser()))}")
    is_chosen = any(keys.get(line) == "dataset" for line in given)
    return [*flags, *given] if is_chosen else given


def as_override(value: Any) -> str:
    """A value as Hydra's command line takes it."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{as_override(of)}" for key, of in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(as_override, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and not _TYPED.fullmatch(value):
        return value
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), value)
    return f"'{escaped}'"
