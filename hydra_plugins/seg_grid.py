"""Where Hydra looks for a sweeper: it takes none that is defined elsewhere.

Hydra imports this file at every start, of any command: what a sweep needs is imported by a sweep.
"""

from typing import Any

from hydra.plugins.sweeper import Sweeper


class SegGridSweeper(Sweeper):
    """`seg.sweeps.grid.GridSweeper`, with its options."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def setup(self, **parts: Any) -> None:
        from seg.sweeps.grid import GridSweeper  # noqa: PLC0415

        self.sweeper = GridSweeper(**self.options)
        self.sweeper.setup(**parts)

    def sweep(self, arguments: list[str]) -> None:
        from seg.sweeps.command import keep_errors  # noqa: PLC0415

        with keep_errors():
            self.sweeper.sweep(arguments)
