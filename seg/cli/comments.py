"""The comments of configuration files: what each key means, and what a file is for."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

_KEY = re.compile(r"( *)([\w.]+):( |$)")


def of_choice(group: str, choice: str, folders: Sequence[Path]) -> dict[str, str]:
    """The comment of each key of a choice, by its dotted name in the group.

    Args:
        group: such as `dataset`.
        choice: such as `kvasir`.
        folders: of configurations; the first that has the choice counts.
    """
    path = find(group, choice, folders)
    if path is None:
        return {}
    text = path.read_text(encoding="utf-8")
    comments: dict[str, str] = {}
    own = {key: comment for key, comment in of_text(text).items() if comment}
    for entry in (yaml.safe_load(text) or {}).get("defaults", []):
        if entry == "_self_":
            comments |= own
        elif isinstance(entry, str):
            name, _, package = entry.partition("@")
            prefix = "" if package in ("", "_here_") else f"{package}."
            base = of_choice(group, name, folders)
            comments |= {f"{prefix}{key}": comment for key, comment in base.items()}
    return comments | own


def of_text(text: str) -> dict[str, str]:
    """The comment of each key of a file, at the end of its line; empty without one."""
    found: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = _KEY.match(line)
        if match is None:
            continue
        depth = len(match[1])
        parents = [(d, key) for d, key in parents if d < depth] + [(depth, match[2])]
        comment = line.partition(" # ")[2].strip()
        found[".".join(key for _, key in parents)] = comment
    return found


def title(group: str, choice: str, folders: Sequence[Path]) -> str:
    """The comment in the first line of a choice's file, after its `# @package`."""
    path = find(group, choice, folders)
    lines = path.read_text(encoding="utf-8").splitlines() if path is not None else []
    first = next((line for line in lines if not line.startswith("# @package")), "")
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def find(group: str, choice: str, folders: Sequence[Path]) -> Path | None:
    """The file of a choice."""
    paths = (folder / group / f"{choice}.yaml" for folder in folders)
    return next((path for path in paths if path.is_file()), None)
