"""--help: what a command does, its groups with their choices, its keys with what they mean."""

import argparse
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from seg.cli import comments
from seg.cli.compose import CONF_DIR, plain
from seg.cli.datasets import as_override
from seg.cli.review import review
from seg.cli.rule import Rule
from seg.cli.rules import RULES
from seg.cli.signatures import is_target

LEFT = 36  # columns of a key and its value
WHOLE = ("classes", "params")  # mappings that are a value


def text(arguments: argparse.Namespace, command: str) -> str:
    """What `--help` prints, of the configuration that the other arguments choose.

    Raises:
        ConfigError: they are refused.
    """
    shown = argparse.Namespace(**(vars(arguments) | {"cfg": "job"}))  # required keys may be missing
    cfg = review(shown, command=command).configurations[0]
    hydras = HydraConfig.get()
    folders = [Path(arguments.config_path or CONF_DIR)]
    if arguments.config_dir:
        folders.insert(0, Path(arguments.config_dir))
    choices = groups_of(command, folders)
    chosen = plain(hydras.runtime.choices)
    parts = {
        "APP_CONFIG_GROUPS": "\n".join(_group_lines(choices, chosen)),
        "CONFIG": "\n".join(_key_lines(cfg, command, choices, chosen, folders)),
    }
    node = {"hydra": OmegaConf.to_container(hydras)}  # away from a configuration that has lost it
    template = str(OmegaConf.create(node).hydra.help.template)
    return re.sub(r"\$(\w+)", lambda match: parts.get(match[1], match[0]), template).rstrip()


def groups_of(command: str, folders: Sequence[Path]) -> dict[str, list[str]]:
    """The groups of a command, in the order of its file, with their choices."""
    text = (CONF_DIR / f"{command}.yaml").read_text(encoding="utf-8")
    listed = [entry for entry in yaml.safe_load(text)["defaults"] if isinstance(entry, dict)]
    names = [name for entry in listed for name in entry if " " not in name]
    return {
        name: sorted({path.stem for folder in folders for path in (folder / name).glob("*.yaml")})
        for name in names
    }


def _group_lines(groups: Mapping[str, Sequence[str]], chosen: Mapping[str, Any]) -> Iterator[str]:
    for name, choices in groups.items():
        yield from _entry(f"{name}={as_override(chosen.get(name))}", ", ".join(choices))


def _key_lines(
    cfg: DictConfig,
    command: str,
    groups: Mapping[str, Sequence[str]],
    chosen: Mapping[str, Any],
    folders: Sequence[Path],
) -> Iterator[str]:
    """The command's own keys, then those of each group."""
    content, rules = plain(cfg), RULES[command]
    own = comments.of_text((CONF_DIR / f"{command}.yaml").read_text(encoding="utf-8"))
    of_groups = [
        g for g in groups if chosen.get(g) is not None and isinstance(content.get(g), dict)
    ]
    rest = {key: value for key, value in content.items() if key not in of_groups}
    for key, value in rest.items():
        if isinstance(value, dict) and value and own.get(key):
            yield from _entry(f"{key}.", own[key])
    for key, value in leaves(rest):
        yield from _entry(f"{key}={typed(value)}", meaning(own.get(key, ""), rules.get(key)))
    for group in of_groups:
        known = comments.of_choice(group, str(chosen[group]), folders)
        about = comments.title(group, str(chosen[group]), folders)
        yield ""
        heading = f"{group}={chosen[group]}{f': {about}' if about else ''}"
        for paragraph in (heading, own.get(group, "")):
            yield from textwrap.wrap(paragraph, _width(), break_on_hyphens=False)
        yield ""
        for key, value in leaves(content[group]):
            rule = rules.get(f"{group}.{key}")
            yield from _entry(f"{group}.{key}={typed(value)}", meaning(known.get(key, ""), rule))


def leaves(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Each key that can be set, by its dotted name, with its value."""
    for key, value in node.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict) and value and key not in WHOLE:
            yield from leaves(value, name)
        elif not str(key).startswith("_"):  # _target_ and the like
            yield name, value


def typed(value: Any) -> str:
    """A value as it is typed behind `key=`; lists of objects by their names."""
    if value == "???":
        return "..."
    if isinstance(value, list) and any(map(is_target, value)):
        return f"[{', '.join(str(v['_target_']).rpartition('.')[2] for v in value)}]"
    is_plain = isinstance(value, str) and re.fullmatch(r"[\w./~:-]+", value)
    return value if is_plain else as_override(value)


def meaning(comment: str, rule: Rule | None) -> str:
    """The comment, and the values that may be chosen where it does not name them."""
    comment = "" if comment.startswith("ours") else comment
    if rule is None:
        return comment
    missing = [choice for choice in rule.choices if choice not in comment]
    if comment and (not missing or rule.choices == ("true", "false")):
        return comment
    return f"{comment} ({rule.wanted})" if comment and rule.choices else comment or rule.wanted


def _entry(left: str, right: str) -> Iterator[str]:
    lines = textwrap.wrap(right, _width() - LEFT - 4, break_on_hyphens=False) or [""]
    if len(left) > LEFT:
        yield f"  {left}"
        left = ""
        if not right:
            return
    yield f"  {left:<{LEFT}}  {lines[0]}".rstrip()
    yield from (f"  {'':<{LEFT}}  {line}" for line in lines[1:])


def _width() -> int:
    return min(max(shutil.get_terminal_size((100, 24)).columns, 80), 120)
