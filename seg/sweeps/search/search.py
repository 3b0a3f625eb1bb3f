"""The search itself: ask, run, tell; gone on with wherever it was left."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg.runs import atomic
from seg.sweeps.jobs import Job, folder_name
from seg.sweeps.search import objectives, study
from seg.sweeps.search.options import Options
from seg.sweeps.search.pruning import import_optuna
from seg.sweeps.search.space import Dimension, lines

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """One study and what its trials are made of.

    study: Optuna's. where: its storage. constant: overrides of every trial. epochs: of a whole
    training. run: trains jobs and returns what their run.json say. after_each: called when trials
    have ended.
    """

    study: Any
    where: str
    space: Sequence[Dimension]
    constant: Sequence[str]
    options: Options
    epochs: int
    folder: Path
    run: Callable[[Sequence[Job]], list[dict]]
    after_each: Callable[[], None] = lambda: None

    def begin(self, defaults: dict[str, Any]) -> None:
        """The configuration's own values go first, so that what is found can be held to them."""
        if not self.study.get_trials(deepcopy=False) and defaults:
            self.study.enqueue_trial(defaults)

    def go(self) -> None:
        """Until n_trials have been proposed and each has been run once by this command."""
        left = [self._again(trial) for trial in study.unfinished(self.study)]
        if left:
            numbers = ", ".join(str(trial.number) for trial in left)
            log.info("going on with the trials that were not finished: %s", numbers)
        for start in range(0, len(left), self.options.n_jobs):
            self._round(left[start : start + self.options.n_jobs])
        while (done := len(study.asked(self.study))) < self.options.n_trials:
            count = min(self.options.n_jobs, self.options.n_trials - done)
            self._round([self._ask() for _ in range(count)])

    def _ask(self) -> Any:
        self._seed(len(study.asked(self.study)))
        trial = self.study.ask()
        study.propose(trial, self.space)
        return trial

    def _again(self, frozen: Any) -> Any:
        """A trial of an earlier command, which may have been killed before it was all proposed."""
        self._seed(frozen.number)
        trial = import_optuna().trial.Trial(self.study, frozen._trial_id)
        study.propose(trial, self.space)
        return trial

    def _seed(self, number: int) -> None:
        self.study.sampler = study.build_sampler(
            self.options.sampler,
            startup_trials=self.options.startup_trials,
            seed=study.seed_of(self.options.seed, number),
        )

    def _round(self, trials: Sequence[Any]) -> None:
        missing = [trial for trial in trials if not self._tell_as_before(trial)]
        jobs = [self._job(trial) for trial in missing]
        for job in jobs:
            self._write_trial(job)
        for trial, job, record in zip(missing, jobs, self.run(jobs) if jobs else [], strict=True):
            self._tell(trial, job, record)
        self.after_each()

    def _job(self, trial: Any) -> Job:
        swept = lines(study.propose(trial, self.space))
        name = folder_name(trial.number, swept)
        trial.set_user_attr("folder", name)
        return Job(
            number=trial.number,
            overrides=(*self.constant, *swept),
            folder=self.folder / name,
        )

    @property
    def reported(self) -> str | None:
        """What trials report after each epoch; None where it cannot end them."""
        names = self.options.objectives
        return names[0] if len(names) == 1 and names[0].startswith("val/") else None

    def _write_trial(self, job: Job) -> None:
        """trial.json, which tells the job where to report and what ends it."""
        job.folder.mkdir(parents=True, exist_ok=True)
        path = job.folder / "trial.json"
        atomic.write_json(
            path,
            {
                "storage": self.where,
                "study": self.study.study_name,
                "number": job.number,
                "objective": self.reported,
                "pruner": {
                    "name": self.options.pruner,
                    "startup_trials": self.options.pruner_startup,
                    "warmup_epochs": self.options.warmup_epochs,
                    "epochs": self.epochs,
                },
            },
        )
        os.chmod(path, 0o600)  # a database's URL may hold a password

    def _tell(self, trial: Any, job: Job, record: dict[str, Any]) -> None:
        state = import_optuna().trial.TrialState
        status, error = record.get("status"), record.get("error")
        if status == "finished":
            try:
                values = objectives.read(
                    self.options.objectives,
                    record=record,
                    folder=job.folder,
                    attributes=self._told_by_training(trial),
                )
                self.study.tell(trial, values)
                return
            except ValueError as problem:
                status, error = "failed", str(problem)
        if status == "pruned":
            self.study.tell(trial, state=state.PRUNED)
        elif status == "failed":
            trial.set_user_attr("error", " ".join(str(error or "no reason given").split())[:500])
            self.study.tell(trial, state=state.FAIL)
            log.warning("trial %d failed: %s", trial.number, error)
        else:  # stays running for Optuna: the next command goes on with it
            log.warning("trial %d is %s; the same command goes on with it", trial.number, status)

    def _told_by_training(self, trial: Any) -> dict[str, Any]:
        """What the job has added to the study since it was asked for here."""
        return self.study._storage.get_trial(trial._trial_id).user_attrs

    def _tell_as_before(self, trial: Any) -> bool:
        """Training the same values again, with the same seed, would tell nothing new."""
        optuna = import_optuna()
        params = study.propose(trial, self.space)
        same = next(
            (
                other
                for other in study.asked(self.study)
                if other.state.is_finished()
                and other.params == params
                and other.number != trial.number
            ),
            None,
        )
        if same is None:
            return False
        trial.set_user_attr("same_as", same.number)
        for key in ("folder", "error", "parameters"):
            if key in same.user_attrs:
                trial.set_user_attr(key, same.user_attrs[key])
        if same.state == optuna.trial.TrialState.PRUNED:
            for step, value in same.intermediate_values.items():
                trial.report(value, step)
        complete = same.state == optuna.trial.TrialState.COMPLETE
        self.study.tell(trial, same.values if complete else None, state=same.state)
        return True
