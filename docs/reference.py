"""A hook of mkdocs: the keys of conf/ with their comments, put into configuration.md.

They are read as `--help` reads them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from seg.cli import comments
from seg.cli.compose import CONF_DIR
from seg.cli.help import groups_of, leaves, meaning, typed
from seg.cli.rules import RULES

PLACE = "<!-- the keys -->"
COMMANDS = ("train", "prepare", "evaluate", "predict", "export", "compare", "demo")
WHOLE = (
    "augmentation",
    "callbacks",
    "experiment",
    "logger",
    "protocol",
    "sweep",
)  # files as they are


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return markdown.replace(PLACE, "\n".join(_reference())) if PLACE in markdown else markdown


def _reference() -> Iterator[str]:
    for command in COMMANDS:
        path = CONF_DIR / f"{command}.yaml"
        header, _, usage = _load(path)["hydra"]["help"]["template"].partition("Groups and their")
        usage = (usage and header or header.partition("Keys, with")[0]).strip()
        usage = usage.replace("${hydra.help.header}", _load(path)["hydra"]["help"]["header"])
        yield f"## seg.{command}\n\n```\n{usage}\n```\n"
        yield from _table(path, command)
    for group in groups_of("train", [CONF_DIR]) | groups_of("evaluate", [CONF_DIR]):
        yield f"## {group}=\n"
        for path in _files(group):
            yield from _choice(group, path)
    yield "## hydra.launcher.\n\nOf a sweep:\n"
    yield from _table(CONF_DIR / "hydra/launcher/seg_jobs.yaml", "train", "hydra.launcher")
    yield "## hydra.sweeper.\n\nOf `sweep=optuna`:\n"
    yield from _table(CONF_DIR / "hydra/sweeper/seg_optuna.yaml", "train", "hydra.sweeper")


def _files(group: str) -> list[Path]:
    shared = sorted((CONF_DIR / group / "shared").glob("*.yaml"), reverse=True)
    return [*shared, *sorted((CONF_DIR / group).glob("*.yaml"))]


def _choice(group: str, path: Path) -> Iterator[str]:
    if path.parent.name == "shared":
        title = comments.title(f"{group}/shared", path.stem, [CONF_DIR])
        yield f"### {title.rstrip('.')}\n"
        yield from _table(path, "train", group)
        return
    yield f"### {group}={path.stem}\n"
    if group in WHOLE:
        yield f"```yaml\n{path.read_text(encoding='utf-8').strip()}\n```\n"
        return
    yield f"{comments.title(group, path.stem, [CONF_DIR])}\n"
    for entry in _load(path).get("defaults", []):
        name, _, package = str(entry).partition("@")
        if package not in ("", "_here_"):
            yield f"- the keys of `{group}={name}`, as `{group}.{package}.`"
        elif name != "_self_" and "/" not in name:
            yield f"- the keys of `{group}={name}`"
    yield ""
    yield from _table(path, "train", group)


def _table(path: Path, command: str, group: str = "") -> Iterator[str]:
    rules, known = RULES[command], comments.of_text(path.read_text(encoding="utf-8"))
    content = {k: v for k, v in _load(path).items() if k not in ("defaults", "hydra")}
    rows = []
    for key, value in leaves(content):
        name = f"{group}.{key}" if group else key
        text = meaning(known.get(key, ""), rules.get(name)).replace("|", "\\|").replace("<", "&lt;")
        rows.append(f"| `{name}={_shown(value)}` | {text} |")
    if rows:
        yield "\n".join(["| key and default | |", "|---|---|", *rows, ""])


def _shown(value: Any) -> str:
    """A value as it is typed; what is computed from other keys as it stands in the file."""
    is_computed = isinstance(value, str) and "${" in value
    return (value if is_computed else typed(value)).replace("|", "\\|")


def _load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
