"""Compare runs, or report on one. python -m seg.compare runs=GLOB [datasets=[test,NAME,...]]"""

from seg.launch import launch

if __name__ == "__main__":  # before the imports, so that help and refusals come at once
    launch("seg.compare.compare", config_name="compare")

from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from seg.cli import compose
from seg.cli.datasets import overrides, read_datasets
from seg.comparison import ranking
from seg.comparison.configurations import ComparedRun, read_runs
from seg.comparison.matrix import Matrix, make_matrix
from seg.comparison.summary import Comparison
from seg.report import comparison as report
from seg.report import figures, matrix, run
from seg.runs.find import find


def compare(cfg: DictConfig) -> Comparison | run.Report | Matrix:
    """Leaderboard and paired tests of finished runs; with `datasets` a table of runs and data sets;
    for a single run, whatever its state, a page of its own and a model card.

    Raises:
        ValueError: the runs were not tested on the same cases, or on none of the data sets.
    """
    paths = find(compose.plain(cfg)["runs"])
    also = figures.formats(compose.plain(cfg)["figures"])
    output = Path(cfg.output).expanduser().absolute()
    if cfg.datasets is not None:
        given = read_datasets(compose.plain(cfg)["datasets"])
        datasets = {name: overrides(name, keys) if keys else None for name, keys in given.items()}
        options = {key: cfg[key] for key in ("metric", "test", "common")}
        table = make_matrix(read_runs(paths, progress=_progress), datasets, **options)
        matrix.write(table, output)
        matrix.show(table, output, Console())
        return table
    if len(paths) == 1:
        one = run.read(paths[0], metric=cfg.metric, source=cfg.source)
        run.write(one, output)
        if cfg.figure is not None:
            runs = read_runs(paths, source=cfg.source)
            draw_cases(cfg, {runs[0].name: runs}, output, also)
        run.show(one, output, Console())
        return one
    runs = read_runs(paths, source=cfg.source, progress=_progress)
    options = {key: cfg[key] for key in ("metric", "test", "source", "common")}
    comparison = ranking.compare(runs, **options)
    report.write(comparison, output, also=also)
    if cfg.figure is not None:
        networks = {entry.label: entry.configuration.runs for entry in comparison.entries}
        draw_cases(cfg, networks, output, also)
    report.show(comparison, output, Console())
    return comparison


def draw_cases(
    cfg: DictConfig, networks: dict[str, list[ComparedRun]], folder: Path, also: Sequence[str]
) -> None:
    """Write the figure of `figure=cases`, which alone needs the networks themselves."""
    from seg.cli import case_figure  # noqa: PLC0415 - torch takes seconds

    case_figure.draw_cases(cfg, networks, folder / case_figure.FILE, also)


def _progress(iterator: Iterator, count: int, text: str) -> Iterator:
    """A bar on a terminal, for a wait that is worth one."""
    console = Console(stderr=True)
    quiet = not console.is_terminal or count < 50
    return track(iterator, text, count, console=console, transient=True, disable=quiet)
