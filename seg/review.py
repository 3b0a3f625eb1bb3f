"""The command line, reviewed before anything runs: every problem, with the nearest names."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seg import check as checks
from seg.config import CONF_DIR, ConfigError, check, compose_here


def review(arguments: Any, *, door: str = "train") -> list[DictConfig]:
    """Compose what is asked for, and every value of a sweep once. Raises ConfigError.

    door: the command's own configuration, which says what may stand at the top.
    """
    directory = Path(arguments.config_path or CONF_DIR)
    if not directory.is_dir():
        raise ConfigError([f"--config-path {directory}: no such folder"])
    search = []
    if arguments.config_dir:
        if not Path(arguments.config_dir).is_dir():
            raise ConfigError([f"--config-dir {arguments.config_dir}: no such folder"])
        search = [f"hydra.searchpath=[file://{Path(arguments.config_dir).absolute()}]"]
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(directory.absolute())):
        loader = GlobalHydra.instance().config_loader()
        overrides, problems = parse([quoted(line) for line in arguments.overrides], loader)
        own = [o for o in overrides if not o.key_or_group.startswith("hydra")]
        if not arguments.multirun:
            problems += [
                f"{o.input_line}: several values need --multirun"
                for o in own
                if o.is_sweep_override()
            ]
        if len(own) < len(overrides):
            theirs = [o.input_line for o in overrides if o not in own]
            _try_compose(arguments.config_name, search + theirs, problems)
        base = _try_compose(arguments.config_name, search, problems)
        if base is None:
            raise ConfigError(problems)
        known = search + list(_groups(own, loader, arguments.config_dir, problems))
        shaped = _try_compose(arguments.config_name, known, problems)
        if shaped is not None:
            problems += list(_unknown_keys(own, shaped, loader))
        if problems:
            raise ConfigError(problems)
        composed = []
        for variant in _variants(own):
            cfg = _try_compose(arguments.config_name, search + variant, problems)
            if cfg is not None:
                composed.append(cfg)
        return _all_or_refuse(composed, problems, door)


def _all_or_refuse(composed: list[DictConfig], problems: list[str], door: str) -> list[DictConfig]:
    for cfg in composed:
        try:
            check(cfg, door=door)
        except ConfigError as error:
            problems += [p for p in error.problems if p not in problems]
    if problems:
        raise ConfigError(problems)
    return composed


def quoted(line: str) -> str:
    """An override as Hydra's grammar reads it: a path with a blank or an accent gets its quotes."""
    key, equals, value = line.partition("=")
    try:
        OverridesParser.create().parse_override(line)
    except (OverrideParseException, HydraException):
        if equals and value and value[0] not in "[{'\"":
            # Hydra takes a backslash as it is, save in a run of them before a quote.
            escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), value)
            return f"{key}='{escaped}'"
    return line


def parse(lines: Sequence[str], loader: Any = None) -> tuple[list[Override], list[str]]:
    parser, found, problems = OverridesParser.create(config_loader=loader), [], []
    for line in lines:
        try:
            found.append(parser.parse_override(line))
        except (OverrideParseException, HydraException):
            problems.append(
                f"{line}: cannot be read; write key=value, and quote blanks and brackets"
            )
    return found, problems


def _try_compose(config_name: str, overrides: list[str], problems: list[str]) -> DictConfig | None:
    try:
        return compose_here(config_name, overrides)
    except ConfigError as error:
        problems += error.problems
        return None
    except (HydraException, OmegaConfBaseException) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        problems.append(" ".join(lines[:2]))
        return None


def _values(override: Override) -> list[str]:
    if override.is_sweep_override():
        return [str(v) for v in override.sweep_string_iterator()]
    return [str(override.get_value_element_as_str())] if override.value() is not None else ["null"]


def _groups(
    overrides: Sequence[Override], loader: Any, config_dir: str | None, problems: list[str]
) -> Iterator[str]:
    """The choices of config groups, first values; one that does not exist is a problem."""
    extra = Path(config_dir) if config_dir else None
    for o in overrides:
        if "." in o.key_or_group or o.is_delete():
            continue
        options = set(loader.get_group_options(o.key_or_group))
        if extra and (extra / o.key_or_group).is_dir():
            options |= {f.stem for f in (extra / o.key_or_group).glob("*.yaml")}
        if not options:
            continue
        several = isinstance(o.value(), list)  # protocol=[a,b]
        asked = [str(v) for v in o.value()] if several else _values(o)
        wrong = [v for v in asked if v not in options]
        if o.key_or_group == "experiment":
            wrong = [v for v in wrong if v != "null"]
        choices = ", ".join(sorted(options))
        problems += [
            f"{o.key_or_group}={v}: no such choice{checks.nearest(v, options)}; there are {choices}"
            for v in wrong
        ]
        if not wrong:
            yield f"{'+' if o.is_add() else ''}{o.key_or_group}={_values(o)[0]}"


def _unknown_keys(overrides: Sequence[Override], cfg: DictConfig, loader: Any) -> Iterator[str]:
    names = list(_keys(cfg)) + list(loader.list_groups(""))
    for o in overrides:
        key = o.key_or_group
        if loader.get_group_options(key) or o.is_add() or o.is_force_add():
            continue  # a choice was judged already; an added key is held to a signature later
        if key not in names:
            parent = key.rpartition(".")[0]
            # a key inside an open mapping, such as dataset.classes, may be new
            if parent and OmegaConf.select(cfg, parent, default=0) is None:
                continue
            yield f"{key}: no such key or group{checks.nearest(key, names)}"


def _keys(cfg: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in cfg:
        path = f"{prefix}{key}"
        yield path
        node = cfg._get_node(key)
        if isinstance(node, DictConfig) and not (node._is_missing() or node._is_none()):
            yield from _keys(node, f"{path}.")


def _variants(overrides: Sequence[Override]) -> Iterator[list[str]]:
    """The overrides with all first values, then each further value with the others first."""
    first = [_line(o, _values(o)[0]) if o.is_sweep_override() else o.input_line for o in overrides]
    yield first
    for i, o in enumerate(overrides):
        if o.is_sweep_override():
            for value in _values(o)[1:]:
                yield [*first[:i], _line(o, value), *first[i + 1 :]]


def _line(override: Override, value: str) -> str:
    return f"{override.get_key_element()}={value}"
