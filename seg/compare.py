"""Compare runs, or report on one. python -m seg.compare runs='outputs/kvasir-*' metric=dice"""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from seg.cli import compose
from seg.launch import launch
from seg.report import comparison, run


def compare(cfg: DictConfig) -> comparison.Comparison | run.Report:
    """Leaderboard and paired tests of finished runs; of a single run, whatever its state, a page of
    its own and a model card. Raises ValueError for runs that were not tested on the same cases.
    """
    folders = comparison.find(compose.plain(cfg)["runs"])
    output = Path(cfg.output).expanduser().absolute()
    if len(folders) == 1:
        one = run.read(folders[0], metric=cfg.metric, source=cfg.source)
        run.write(one, output)
        run.show(one, output, Console())
        return one
    runs = comparison.read_runs(folders, source=cfg.source, metric=cfg.metric, progress=_shown)
    found = comparison.compare(
        runs, metric=cfg.metric, test=cfg.test, source=cfg.source, common=cfg.common
    )
    comparison.write(found, output)
    comparison.show(found, output, Console())
    return found


def _shown(iterator: Iterator, count: int, text: str) -> Iterator:
    """A bar where somebody looks, and the wait is worth one."""
    console = Console(stderr=True)
    quiet = not console.is_terminal or count < 50
    return track(iterator, text, count, console=console, transient=True, disable=quiet)


if __name__ == "__main__":
    launch(compare, config_name="compare")
