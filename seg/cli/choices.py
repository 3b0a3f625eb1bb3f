"""What is said of a choice that is not there, such as loss=mine, or not installed."""

from collections.abc import Collection, Sequence
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override

from seg.cli.signatures import nearest

LAUNCHERS = "hydra/launcher"
EXTRAS = {"joblib": "sweep", "submitit_local": "sweep", "submitit_slurm": "sweep", "ray": "ray"}


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


def missing_launchers(overrides: Sequence[Override]) -> list[str]:
    """A problem for each launcher that an extra would install."""
    options = GlobalHydra.instance().config_loader().repository.get_group_options
    missing = EXTRAS.keys() - set(options(LAUNCHERS))
    return [
        f"{o.input_line}: is not installed; pip install 'seg-med[{EXTRAS[str(o.value())]}]'"
        for o in overrides
        if o.key_or_group == LAUNCHERS and str(o.value()) in missing
    ]
