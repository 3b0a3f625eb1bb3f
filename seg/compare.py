"""Compare runs. python -m seg.compare runs='outputs/kvasir-*' metric=dice"""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from seg import config
from seg.launch import launch
from seg.reporting import comparison


def compare(cfg: DictConfig) -> comparison.Comparison:
    """Leaderboard and paired tests of finished runs. Raises ValueError for runs that were not
    tested on the same cases.
    """
    if cfg.output is None:
        raise config.ConfigError(["output=null: must be a folder"])
    folders = comparison.find(config.plain(cfg)["runs"])
    console = Console(stderr=True)

    def shown(iterator, count, text):  # a bar where somebody looks, and the wait is worth one
        quiet = not console.is_terminal or count < 50
        return track(iterator, text, count, console=console, transient=True, disable=quiet)

    runs = comparison.read_runs(folders, source=cfg.source, metric=cfg.metric, progress=shown)
    found = comparison.compare(
        runs, metric=cfg.metric, test=cfg.test, source=cfg.source, common=cfg.common
    )
    output = Path(cfg.output).expanduser().absolute()
    comparison.write(found, output)
    comparison.show(found, output, Console())
    return found


if __name__ == "__main__":
    launch(compare, config_name="compare")
