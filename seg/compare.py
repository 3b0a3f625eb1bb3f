"""Compare runs, or report on one. python -m seg.compare runs='outputs/kvasir-*' metric=dice"""

from seg.launch import launch

if __name__ == "__main__":  # before the imports, so that help and refusals come at once
    launch("seg.compare.compare", config_name="compare")

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from seg.cli import compose
from seg.comparison import ranking
from seg.comparison.configurations import read_runs
from seg.comparison.summary import Comparison
from seg.report import comparison as report
from seg.report import run
from seg.runs.find import find


def compare(cfg: DictConfig) -> Comparison | run.Report:
    """Leaderboard and paired tests of finished runs; for a single run, whatever its state, a page
    of its own and a model card. Raises ValueError for runs that were not tested on the same cases.
    """
    paths = find(compose.plain(cfg)["runs"])
    output = Path(cfg.output).expanduser().absolute()
    if len(paths) == 1:
        one = run.read(paths[0], metric=cfg.metric, source=cfg.source)
        run.write(one, output)
        run.show(one, output, Console())
        return one
    runs = read_runs(paths, source=cfg.source, progress=_progress)
    options = {key: cfg[key] for key in ("metric", "test", "source", "common")}
    comparison = ranking.compare(runs, **options)
    report.write(comparison, output)
    report.show(comparison, output, Console())
    return comparison


def _progress(iterator: Iterator, count: int, text: str) -> Iterator:
    """A bar on a terminal, for a wait that is worth one."""
    console = Console(stderr=True)
    quiet = not console.is_terminal or count < 50
    return track(iterator, text, count, console=console, transient=True, disable=quiet)
