"""Which pictures a search gets."""

from pathlib import Path
from typing import Any

from seg.report.search import history, importance, parallel, pareto


def draw(content: dict[str, Any], folder: Path) -> list[Path]:
    """Draw search.json's content as search_*.png into `folder`; returns the files.

    Those that there is nothing to show in are left out, and taken away if an earlier call drew
    them.
    """
    wanted = {
        "search_history.png": history.figure(content),
        "search_parallel.png": parallel.figure(content),
        "search_importance.png": importance.figure(content),
        "search_pareto.png": pareto.figure(content),
    }
    files = []
    for name, figure in wanted.items():
        path = folder / name
        if figure is None:
            path.unlink(missing_ok=True)
            continue
        temporary = folder / f".{name}"
        try:
            figure.savefig(temporary, format="png")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        files.append(path)
    return files
