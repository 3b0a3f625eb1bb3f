"""The files with weights that a command names: a checkpoint of a run folder, runs below a folder.

Without torch, so that a wrong path is refused at once.
"""

from collections.abc import Sequence
from pathlib import Path

from seg.runs.folder import RunFolder


def find_checkpoint(run: Path, which: str) -> Path:
    """The checkpoint `best` or `last` of a run folder, or the path of another one.

    Raises:
        FileNotFoundError: it is not there; other weights are never taken instead.
    """
    if which not in ("best", "last"):
        path = Path(which).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"checkpoint={which}: no such file")
        return path
    folder = RunFolder(run).checkpoints_path
    if not folder.is_dir():
        raise FileNotFoundError(f"run={run}: no run folder, it has no {folder.name}/")
    path = RunFolder(run).checkpoint(which)
    if not path.is_file():
        others = ", ".join(sorted(p.name for p in folder.glob("*.ckpt"))) or "nothing"
        raise FileNotFoundError(
            f"{path}: no such checkpoint, the folder holds {others}; name one with checkpoint=..."
        )
    return path


def find_models(path: Path) -> tuple[list[Path], list[str]]:
    """The path itself; for a folder that is no run folder, the finished runs below it.

    Returns:
        The paths, and what is said of the runs that are left out.
    Raises:
        FileNotFoundError: there is nothing.
        ValueError: no run below it is finished.
    """
    if not path.exists():
        raise FileNotFoundError(f"run={path}: no such file or folder")
    folder = RunFolder(path)
    if path.is_file() or folder.checkpoints_path.is_dir() or folder.config_path.is_file():
        return [path], []
    # a sweep's own run.json or config may lie above its runs: what has checkpoints is a run
    name = folder.checkpoints_path.name
    runs = [RunFolder(run) for run in sorted(p.parent for p in path.rglob(name) if p.is_dir())]
    if not runs:
        raise FileNotFoundError(f"run={path}: no run folder, and none below it (a run has {name}/)")
    finished = [run.path for run in runs if run.is_finished]
    others = [f"{r.path.relative_to(path)} ({r.status})" for r in runs if not r.is_finished]
    if not finished:
        raise ValueError(f"run={path}: no run below it is finished: {listed(others)}")
    return finished, others


def listed(items: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """Some words as one text, the first of them only where there are many."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return separator.join(items[:most]) + more
