"""What is said of a choice that is not there, such as loss=mine."""

from collections.abc import Collection
from pathlib import Path

from seg.cli.signatures import nearest


def no_such_choice(group: str, value: str, names: Collection[str], extra: Path | None) -> str:
    """The problem, and how a choice of one's own is reached.

    Args:
        group: such as loss.
        value: the choice.
        names: the choices that there are.
        extra: of `--config-dir`.
    """
    problem = f"{group}={value}: no such choice{nearest(value, names)}"
    problem += f"; there are {', '.join(sorted(names))}"
    if extra is not None:
        return problem
    folder = _folder_of(group, value)
    return f"{problem}; {'your own' if folder is None else 'yours'} with --config-dir " + (
        "DIR" if folder is None else str(folder)
    )


def _folder_of(group: str, value: str) -> Path | None:
    """A folder here or one below that has the choice, for `--config-dir`."""
    if not value or "/" in value or "\\" in value:
        return None
    folders = [Path(), *sorted(p for p in Path().iterdir() if p.is_dir() and p.name[0] != ".")]
    return next((f for f in folders if (f / group / f"{value}.yaml").is_file()), None)
