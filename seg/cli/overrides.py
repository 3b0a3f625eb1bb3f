"""Overrides: as people type them, as Hydra reads them, and one value of several."""

import copy
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

EARLIER = ("loss.losses", "loss.weights")
# a key of a training that another command has under another name
SAME = dict.fromkeys(("evaluate", "predict"), {"dataset.batch_size": "batch_size"})


def quoted(line: str, command: str = "train") -> str:
    """An override as Hydra's grammar takes it: a value with a blank or an accent gets quotes.

    Sums of losses had a list in earlier versions; it is added in place of today's terms.
    """
    key, equals, value = line.partition("=")
    if key in SAME.get(command, {}):
        key = SAME[command][key]
        line = f"{key}={value}"
    if key in EARLIER:
        line, key = f"++{line}", f"++{key}"
    if parse([line])[1] and equals and value and value[0] not in "[{'\"":
        # Hydra takes a backslash as it is, except in a run of them before a quote or the end.
        escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), value)
        return f"{key}='{escaped}'"
    return line


def parse(lines: Sequence[str]) -> tuple[list[Override], list[str]]:
    """The overrides, and a problem for each line that is not one."""
    hydra = GlobalHydra.instance()
    # it lists what a glob stands for
    loader = hydra.config_loader() if hydra.is_initialized() else None
    parser, overrides, problems = OverridesParser.create(loader), [], []
    for line in lines:
        try:
            overrides += parser.parse_overrides([line])
        except HydraException:
            example = f", such as run={line}" if "=" not in line and Path(line).exists() else ""
            problems.append(
                f"{line}: cannot be read; write key=value, and quote blanks and brackets{example}"
            )
    return overrides, problems


def values_of(override: Override) -> list[str]:
    """The values of an override as text; those of an interval are its two ends."""
    if override.is_interval_sweep():
        ends = (override.value().start, override.value().end)
        return [str(int(end)) if end == int(end) else str(end) for end in ends]
    if override.is_sweep_override():
        return [str(value) for value in override.sweep_string_iterator()]
    return ["null" if override.value() is None else str(override.get_value_element_as_str())]


def values_line(value: Any) -> str:
    """The values of a sweep's parameter as on the command line: a list is several."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def derived(
    cfg: DictConfig | None,
    before: Sequence[str],
    lines: Sequence[str],
    options: Callable[[str], Collection[str]],
) -> DictConfig | None:
    """What Hydra would compose, in a tenth of its time, where one key has another plain value.

    Args:
        cfg: composed of `before`; None if it cannot be.
        lines: overrides with one value each.
        options: the choices of a group; empty for what is none.
    Returns:
        The configuration; None where only Hydra can tell.
    """
    if cfg is None or len(before) != len(lines):
        return None
    changed = [new for old, new in zip(before, lines, strict=True) if old != new]
    overrides = parse(changed)[0] if len(changed) == 1 else []
    if len(overrides) != 1 or overrides[0].type != OverrideType.CHANGE:
        return None
    key, value = overrides[0].key_or_group, overrides[0].value()
    others = [line.partition("=")[0].lstrip("+~") for line in lines if line not in changed]
    overlapping = (  # the key itself again, a part of it, or a mapping that it is a part of
        f"{other}.".startswith(f"{key}.") or (key.startswith(f"{other}.") and not options(other))
        for other in others
    )
    if isinstance(value, dict) or "@" in key or options(key) or any(overlapping):
        return None  # mappings are merged, and a choice of a group changes other keys
    cfg = copy.deepcopy(cfg)
    OmegaConf.update(cfg, key, value)
    return cfg
