"""A search: propose a trial, run it, report its objectives; an interrupted one is continued."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg.runs import atomic
from seg.runs.folder import RunFolder
from seg.sweeps.folder import Job, folder_name
from seg.sweeps.search import study
from seg.sweeps.search.options import Options, read_objectives
from seg.sweeps.search.space import Dimension, lines
from seg.training.pruning import TRIAL_FILE, import_optuna

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """One study, and what its trials are made of.

    Args:
        study: Optuna's study.
        where: its storage.
        space: the dimensions.
        constant: overrides of every trial.
        options: the options of the search.
        epochs: epochs of a whole training.
        flags: of every command that repeats a trial, such as --config-dir.
        folder: the sweep's folder.
        run: trains jobs and returns their run folders.
        after_each: called after each round of trials.
    """

    study: Any
    where: str
    space: Sequence[Dimension]
    constant: Sequence[str]
    options: Options
    epochs: int
    folder: Path
    run: Callable[[Sequence[Job]], list[RunFolder]]
    flags: Sequence[str] = ()
    after_each: Callable[[], None] = lambda: None

    def begin(self, defaults: dict[str, Any]) -> None:
        """Make the configuration's own values the first trial, to compare the best with."""
        if not self.study.get_trials(deepcopy=False) and defaults:
            self.study.enqueue_trial(defaults)

    def run_trials(self) -> None:
        """Run the trials that are unfinished, then propose more until `n_trials` or the budget."""
        unfinished = [self._continue(trial) for trial in study.unfinished(self.study)]
        if unfinished:
            numbers = ", ".join(str(trial.number) for trial in unfinished)
            log.info("going on with the trials that were not finished: %s", numbers)
        n_jobs = self.options.n_jobs
        for start in range(0, len(unfinished), n_jobs):
            self._run_round(unfinished[start : start + n_jobs])
        while (count := len(study.proposed(self.study))) < self.options.n_trials:
            budget, spent = self.options.cpu_minutes, self._cpu_minutes()
            if budget is not None and spent >= budget:
                log.info("the CPU minutes are spent: %.1f by %d trial(s)", spent, count)
                break
            missing = self.options.n_trials - count
            self._run_round([self._propose() for _ in range(min(n_jobs, missing))])

    def _cpu_minutes(self) -> float:
        """What all trials took, those of earlier commands too; one that failed at once, nothing."""
        names = {t.user_attrs.get("folder") for t in study.proposed(self.study)} - {None}
        runs = [RunFolder(self.folder / name) for name in names]
        return sum(run.facts.get("cpu_seconds", 0) for run in runs) / 60

    def _propose(self) -> Any:
        self._seed(len(study.proposed(self.study)))
        trial = self.study.ask()
        study.propose(trial, self.space)
        return trial

    def _continue(self, stored: Any) -> Any:
        """A trial of an earlier command, which may have been killed in the middle of a proposal."""
        self._seed(stored.number)
        trial = import_optuna().trial.Trial(self.study, stored._trial_id)
        study.propose(trial, self.space)
        return trial

    def _seed(self, number: int) -> None:
        self.study.sampler = study.build_sampler(
            self.options.sampler,
            startup_trials=self.options.startup_trials,
            seed=study.seed_of(self.options.seed, number),
        )

    def _run_round(self, trials: Sequence[Any]) -> None:
        new = [trial for trial in trials if not self._copy_result(trial)]
        jobs = [self._job(trial) for trial in new]
        for job in jobs:
            self._write_trial(job)
        for trial, run in zip(new, self.run(jobs) if jobs else [], strict=True):
            self._report(trial, run)
        self.after_each()

    def _job(self, trial: Any) -> Job:
        swept = lines(study.propose(trial, self.space))
        name = folder_name(trial.number, swept)
        trial.set_user_attr("folder", name)
        overrides = (*self.constant, *swept)
        return Job(number=trial.number, overrides=overrides, folder=self.folder / name)

    def _write_trial(self, job: Job) -> None:
        """Write trial.json, which tells the job where to report and what may prune it."""
        path = job.folder / TRIAL_FILE
        pruner = {
            "name": self.options.pruner,
            "startup_trials": self.options.pruner_startup,
            "warmup_epochs": self.options.warmup_epochs,
            "epochs": self.epochs,
        }
        content = {
            "storage": self.where,
            "study": self.study.study_name,
            "number": job.number,
            "objective": self.options.reported,
            "pruner": pruner,
        }
        atomic.write_json(path, content)
        os.chmod(path, 0o600)  # the URL of a database may hold a password

    def _report(self, trial: Any, run: RunFolder) -> None:
        state = import_optuna().trial.TrialState
        status, error = run.status, run.facts.get("error")
        if status == "finished":
            try:
                # the training has added to the stored trial since it was proposed
                attributes = self.study._storage.get_trial(trial._trial_id).user_attrs
                values = read_objectives(
                    self.options.objectives, run, parameters=attributes.get("parameters")
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
        else:  # Optuna keeps it as running, so that the next command continues it
            log.warning("trial %d is %s; the same command goes on with it", trial.number, status)

    def _copy_result(self, trial: Any) -> bool:
        """Give a trial the result of an earlier one with the same values, if there is one.

        With the same seed, training them again would give the same figures.
        """
        state = import_optuna().trial.TrialState
        params = study.propose(trial, self.space)
        same = next(
            (
                other
                for other in study.proposed(self.study)
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
        if same.state == state.PRUNED:
            for step, value in same.intermediate_values.items():
                trial.report(value, step)
        values = same.values if same.state == state.COMPLETE else None
        self.study.tell(trial, values, state=same.state)
        return True
