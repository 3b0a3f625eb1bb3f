"""Where Hydra looks for a sweeper: it takes none that is defined elsewhere.

Hydra imports this file at every start, of any command: what a sweep needs is imported by a sweep.
"""

from typing import Any

from hydra.plugins.sweeper import Sweeper


class SegGridSweeper(Sweeper):
    """`seg.sweeps.sweeper.GridSweeper`. params: keys to their values, as on the command line."""

    def __init__(self, params: dict[str, Any] | None = None) -> None:
        self.params = params

    def setup(self, **parts: Any) -> None:
        from seg.sweeps.sweeper import GridSweeper  # noqa: PLC0415

        self.sweeper = GridSweeper(self.params)
        self.sweeper.setup(**parts)

    def sweep(self, arguments: list[str]) -> None:
        from seg.sweeps.command import errors_kept  # noqa: PLC0415

        with errors_kept():
            self.sweeper.sweep(arguments)
