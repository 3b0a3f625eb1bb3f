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
    distributed,
    failures,
    interrupts,
    provenance,
    rendezvous,
    resume,
    split_table,
    watchdog,
)
from seg.runs import lock as locks
from seg.runs.folder import RunFolder

log = logging.getLogger(__name__)

MAX_ERROR = 4000  # letters of an error; run.json keeps to the space that is reserved for it


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
        if cause is not error:
            raise type(cause)(*cause.args) from error

    @rank_zero_only
    def _begin(self) -> None:
        self._started = time.time(), time.process_time()
        for folder in (self.path, self.checkpoints_path):
            atomic.remove_leftovers(folder)
        try:
            self.record(status="running", **provenance.facts())
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
        reason = {} if status in ("finished", "interrupted") else {"error": _text(plain or error)}
        try:
            self.record(
                status=status,
                seconds=round(time.time() - self._started[0], 1),
                cpu_seconds=round(time.process_time() - self._started[1], 1),
                **reason,
            )
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


def start(config: dict[str, Any], *, job_folder: Path | None = None, device: str = "") -> Run:
    """Find or make the folder of a run, and lock it. Further ranks get the folder of the first.

    Args:
        config: the configuration of seg.train, plain and resolved. Where it gives a resumed run
            more epochs, its `schedule_epochs` becomes those that the schedule was made for.
        job_folder: the folder of a job of a sweep, which is also the one to resume.
        device: what the network is trained on, for run.json.
    Returns:
        The run. Where it `is_finished`, nothing is left to do.
    Raises:
        OSError: the folder cannot be made.
        ValueError: the run to resume has another configuration, or is still running.
    """
    trainer = config["trainer"]
    rank = distributed.detect_rank(devices=trainer["devices"], num_nodes=trainer["num_nodes"])
    lock = None
    if rank.number > 0:
        logging.getLogger("seg").setLevel(logging.ERROR)  # the first one says it all
        path, checkpoint = rendezvous.receive(rank=rank, config=config)
    else:
        path, lock = _claim_folder(config, job_folder)
        last = RunFolder(path).checkpoint("last")
        checkpoint = last if last.is_file() else None
        if trainer["devices"] != 1 or trainer["num_nodes"] != 1:
            rendezvous.announce(path, checkpoint, rank=rank, config=config)
    before = RunFolder(path)
    if resume.is_over(before, config):
        return Run(path, config=config, facts=before.facts)
    if checkpoint is not None:
        config["schedule_epochs"] = resume.schedule_epochs(before.config, config, folder=path)
    facts = {"name": config["name"], "seed": config["seed"], "device": device}
    return Run(path, config=config, facts=facts, resumed_from=checkpoint, lock=lock)


def _claim_folder(
    config: dict[str, Any], job_folder: Path | None
) -> tuple[Path, locks.Lock | None]:
    """The folder and its lock, so that two launches in one second never share a folder."""
    runs = Path(config["output_dir"]).expanduser().absolute() / config["name"]
    while True:
        path = job_folder
        if path is not None:
            path.mkdir(parents=True, exist_ok=True)
            before = RunFolder(path)
            if before.config_path.is_file():  # the sweep is continued
                resume.require_same(before.config, config, str(path))
        elif config["resume"] is not None:
            path = resume.find(config["resume"], config, runs)
        elif (open_run := resume.unfinished(config, runs)) is not None:
            log.info(
                "%s has not finished with this configuration: resume=auto goes on with it; a new "
                "run starts", open_run,
            )  # fmt: skip
        path = path or atomic.fresh_folder(runs)
        lock = locks.acquire(path)
        if lock is not None and resume.is_over(RunFolder(path), config):
            lock.release()
            return path, None
        if lock is not None:
            return path, lock
        if job_folder is not None:
            raise ValueError(f"{path}: another process is running in this folder")
        # another launch was quicker: `find` sees that now


def _text(error: BaseException | None) -> str:
    """An error as run.json keeps it."""
    text = f"{error.filename}: {error.strerror}" if getattr(error, "filename", None) else str(error)
    return text[:MAX_ERROR]
