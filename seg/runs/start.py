"""Find or make the folder of a run, and lock it, before the network is trained."""

import logging
from pathlib import Path
from typing import Any

from seg.runs import atomic, distributed, rendezvous, resume
from seg.runs import lock as locks
from seg.runs.folder import RunFolder
from seg.runs.run import Run

log = logging.getLogger(__name__)


def find_finished(config: dict[str, Any], *, job_folder: Path | None = None) -> Run | None:
    """The run that `start` would resume, if it is over, else None. Nothing is written.

    The log says why a new run starts where one could have been resumed.
    """
    if _rank(config).number > 0:
        return None
    path = _to_resume(config, job_folder)
    if path is None:
        atomic.require_writable(_runs(config))
        _say_new(config)
        return None
    before = RunFolder(path)
    return Run(path, config=config, facts=before.facts) if resume.is_over(before, config) else None


def _say_new(config: dict[str, Any]) -> None:
    if config["resume"] is not None:
        log.warning("resume=auto: %s; a new run starts", resume.why_none(config, _runs(config)))
    elif (before := resume.unfinished(config, _runs(config))) is not None:
        log.info(
            "%s has not finished with this configuration: resume=auto goes on with it; a new "
            "run starts", before,
        )  # fmt: skip


def _rank(config: dict[str, Any]) -> distributed.ProcessRank:
    keys = {key: config["trainer"][key] for key in ("devices", "num_nodes")}
    rank = distributed.detect_rank(**keys)
    if rank.number > 0:
        logging.getLogger("seg").setLevel(logging.ERROR)  # the first one says it all
    return rank


def start(config: dict[str, Any], *, job_folder: Path | None = None, device: str = "") -> Run:
    """Find or make the folder of a run, and lock it. Further ranks get the folder of the first.

    Args:
        config: the configuration of seg.train, plain and resolved. Where it gives a resumed run
            more epochs, its `schedule_epochs` becomes those that the schedule was made for. It
            loses what that run is without (see `resume.keep_keys`).
        job_folder: the folder of a job of a sweep, which is also the one to resume.
        device: what the network is trained on, for run.json.
    Returns:
        The run. Where it `is_finished`, nothing is left to do.
    Raises:
        OSError: the folder cannot be made.
        ValueError: the run to resume has another configuration, or is still running.
    """
    trainer, rank, lock = config["trainer"], _rank(config), None
    if rank.number > 0:
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
        resume.keep_keys(before.config, config)
    facts = {"name": config["name"], "seed": config["seed"], "device": device}
    facts |= {key: value for key, value in before.facts.items() if key == "loggers"}
    return Run(path, config=config, facts=facts, resumed_from=checkpoint, lock=lock)


def _claim_folder(
    config: dict[str, Any], job_folder: Path | None
) -> tuple[Path, locks.Lock | None]:
    """The folder and its lock, so that two launches in one second never share a folder."""
    while True:
        path = _to_resume(config, job_folder) or atomic.fresh_folder(_runs(config))
        path.mkdir(parents=True, exist_ok=True)
        lock = locks.acquire(path)
        if lock is not None and resume.is_over(RunFolder(path), config):
            lock.release()
            return path, None
        if lock is not None:
            return path, lock
        if job_folder is not None:
            raise ValueError(f"{path}: another process is running in this folder")
        # another launch was quicker: `find` sees that now


def _to_resume(config: dict[str, Any], job_folder: Path | None) -> Path | None:
    """The folder of a job of a sweep, or that of the run to resume; None for a new one."""
    if job_folder is not None:
        before = RunFolder(job_folder)
        if before.config_path.is_file():  # the sweep is continued
            resume.require_same(before.config, config, str(job_folder))
        return job_folder
    if config["resume"] is not None:
        return resume.find(config["resume"], config, _runs(config))
    return None


def _runs(config: dict[str, Any]) -> Path:
    return Path(config["output_dir"]).expanduser().absolute() / config["name"]
