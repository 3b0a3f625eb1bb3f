"""A run: one process has its folder, and run.json says what became of it."""

import logging
import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from pytorch_lightning.utilities import rank_zero_only

from seg.runs import (
    atomic,
    failures,
    interrupts,
    provenance,
    split_table,
    watchdog,
)
from seg.runs import lock as locks
from seg.runs.folder import RunFolder

log = logging.getLogger(__name__)

COSTS = ("seconds", "cpu_seconds")  # of all launches of a run together


class Run(RunFolder):
    """A run folder that is being written: a context in which the network is trained.

    run.json says `running` in the context and `finished` after it; after an error `failed`,
    `interrupted`, or what the error's class has as `status` (`pruned`). An error that a full disk
    or a lost process has caused leaves the context as an OSError that says how to go on, and one
    that Ctrl-C or a signal has caused as KeyboardInterrupt or SystemExit.

    The further ranks of a training write nothing.

    Args:
        config: the configuration, plain and resolved.
        facts: what else run.json holds.
        resumed_from: the checkpoint of a resumed run; None for a new one.
        lock: of the folder; it is given back at the end.
        watched: whether another process says in run.json if this one was killed.
    """

    def __init__(
        self,
        path: Path,
        *,
        config: dict[str, Any],
        facts: dict[str, Any],
        resumed_from: Path | None = None,
        lock: locks.Lock | None = None,
        watched: bool = True,
    ) -> None:
        super().__init__(path)
        self.config = config
        self.facts = facts
        self.resumed_from = resumed_from
        self._lock = lock or locks.Lock(None)
        self._watched = watched
        self._end_watch: Callable[[], None] = lambda: None

    @rank_zero_only
    def record(self, **facts: Any) -> None:
        """Add facts to run.json, now."""
        self.facts |= facts
        watchdog.write_status(self.facts, self.path, final=self.status != "running")

    @rank_zero_only
    def write_config(self) -> None:
        """Write config.yaml, from which the command can be started again."""
        content = {**self.config, "resume": None}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        atomic.write_text(self.config_path, text)

    @rank_zero_only
    def write_split(self, rows: Sequence[Sequence[str]]) -> None:
        """Write split.csv; the one of a resumed run must have the same rows.

        Args:
            rows: image, mask, group, split, and the SHA-256 of both files.
        Raises:
            ValueError: a resumed run had other data; it names the first difference.
        """
        if not self.split_path.is_file():
            atomic.write_csv(self.split_path, [split_table.COLUMNS, *rows])
            return
        table = self.split.rows if self.split is not None else []
        before = [[row[column] for column in split_table.COLUMNS] for row in table]
        for old, new in zip_longest(before, rows):
            if old != new:
                raise ValueError(
                    f"{self.split_path}: the data are not those of this run, the first difference "
                    f"is at {(new or old)[0]}; restore them, or start a new run"
                )

    def __enter__(self) -> "Run":
        try:
            self._begin()
        except (KeyboardInterrupt, SystemExit) as error:
            self._end(error)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        cause = interrupts.interruption(error) or error
        with interrupts.ignored():
            if error is not None:
                failures.end_workers()
            self._end(cause)
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt(_kept(RunFolder(self.path))) from error
        if cause is not error:
            raise type(cause)(*cause.args) from error

    @rank_zero_only
    def _begin(self) -> None:
        self._started = _costs()
        self._spent = _spent(RunFolder(self.path))
        earlier = {key: value for key, value in self._spent.items() if value}
        for folder in (self.path, self.checkpoints_path):
            atomic.remove_leftovers(folder)
        try:
            self.record(status="running", **provenance.facts(), **earlier)
        except OSError as error:
            self._lock.release()
            raise failures.explained(error, self.path) or error from error
        if self._watched:
            self._end_watch = watchdog.start(self.path)

    @rank_zero_only
    def _end(self, error: BaseException | None) -> None:
        if error is None:
            status = "finished"
        elif isinstance(error, KeyboardInterrupt | SystemExit):
            status = "interrupted"
        else:
            status = getattr(type(error), "status", "failed")
        plain = failures.explained(error, self.path) if error is not None else None
        has_reason = status not in ("finished", "interrupted")
        reason = {"error": failures.text_of(plain or error)} if has_reason else {}
        try:
            now = _costs()
            total = {k: self._spent[k] + now[k] - self._started[k] for k in self._spent}
            self.record(status=status, **{k: round(v, 1) for k, v in total.items()}, **reason)
        except OSError as unwritten:
            # The watchdog stays: it tries again when this process is gone.
            if error is None:
                raise failures.explained(unwritten, self.path) or unwritten from unwritten
            log.error("%s could not be written: %s", self.status_path, unwritten)
        else:
            self._end_watch()
        finally:
            self._lock.release()
        if plain is not None:
            raise plain from error


def _costs() -> dict[str, float]:
    return dict(zip(COSTS, (time.time(), time.process_time()), strict=True))


def _spent(before: RunFolder) -> dict[str, float]:
    """What the launches before have cost, zero for a new run.

    A cost is left out where that of a launch is not known, since it was killed.
    """
    if "started" not in before.facts:
        return dict.fromkeys(COSTS, 0.0)
    if before.status == "running":  # and nothing was left to say how it ended
        return {}
    return {key: before.facts[key] for key in COSTS if key in before.facts}


def _kept(folder: RunFolder) -> str:
    """What an interrupted run has saved."""
    last, count = folder.checkpoint("last"), len(folder.epochs)
    if not last.is_file():
        return f"{folder.path} has no checkpoint yet"
    return f"{count} epoch{' is' if count == 1 else 's are'} saved in {last}"
