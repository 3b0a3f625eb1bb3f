"""Pruning: a run that is a trial of a search reports its validation figure, and ends early when
Optuna finds it worse than the other trials.
"""

import json
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

log = logging.getLogger(__name__)

TRIAL_FILE = "trial.json"
PRUNERS = ("median", "hyperband", "none")
LOCK_TIMEOUT = 120  # seconds to wait for a locked database


class Pruned(Exception):
    """Ends a training that is not worth its remaining epochs; the run's status is `pruned`."""

    status = "pruned"


def import_optuna() -> Any:
    """Optuna with its log off. Raises ImportError naming the extra to install."""
    try:
        import optuna  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            f"a search needs optuna ({error}): pip install 'seg-med[sweep]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def open_storage(where: str) -> Any:
    """Open the storage of a study.

    No connection outlives a call, so that this process can be forked.

    Args:
        where: the URL of a database, `*.db` for SQLite, or else the file of a journal.

    Raises:
        ValueError: it cannot be opened.
    """
    optuna = import_optuna()
    if "://" not in where and not where.endswith(".db"):
        backend = optuna.storages.journal.JournalFileBackend(where)
        return optuna.storages.JournalStorage(backend)
    import sqlalchemy  # noqa: PLC0415 - comes with optuna

    url = where
    if "://" not in where:  # quotes characters that mean something in a URL
        url = sqlalchemy.URL.create("sqlite", database=where).render_as_string(hide_password=False)
    options: dict[str, Any] = {"poolclass": sqlalchemy.pool.NullPool}
    if url.startswith("sqlite"):
        options["connect_args"] = {"timeout": LOCK_TIMEOUT}
    try:
        # Optuna takes braces for a template
        storage = optuna.storages.RDBStorage(
            url.replace("{", "{{").replace("}", "}}"), engine_kwargs=options
        )
    except (ImportError, sqlalchemy.exc.SQLAlchemyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"hydra.sweeper.storage={without_password(where)}: cannot be opened ({reason})"
        ) from None
    return optuna.storages.get_storage(storage)


def without_password(where: str) -> str:
    """The address of a storage, fit to be shown."""
    if "://" not in where:
        return where
    import sqlalchemy  # noqa: PLC0415 - comes with optuna

    try:
        return sqlalchemy.make_url(where).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return where.partition("://")[0] + "://..."


def build_pruner(*, name: str, startup_trials: int, warmup_epochs: int, epochs: int) -> Any:
    """Build Optuna's pruner.

    Args:
        name: one of `PRUNERS`.
        startup_trials: how many trials run to their end before any is pruned (`median` only).
        warmup_epochs: epochs that every trial trains.
        epochs: epochs of a whole training.
    """
    pruners = import_optuna().pruners
    if name == "median":
        return pruners.MedianPruner(n_startup_trials=startup_trials, n_warmup_steps=warmup_epochs)
    if name == "hyperband":
        least = min(max(1, warmup_epochs), epochs)
        return pruners.HyperbandPruner(min_resource=least, max_resource=epochs)
    return pruners.NopPruner()


def pruning_callback(folder: Path) -> pl.Callback:
    """The callback of a run whose folder holds the trial.json of a search.

    Raises:
        ValueError: the file cannot be read, or its trial is not in the study.
    """
    path = folder / TRIAL_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        where, name, number = facts["storage"], facts["study"], facts["number"]
        objective, pruner = facts["objective"], facts["pruner"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: cannot be read as a trial ({error}); delete it to train without the search"
        ) from None
    optuna = import_optuna()
    try:
        study = optuna.load_study(
            study_name=name,
            storage=open_storage(where),
            sampler=optuna.samplers.RandomSampler(),  # never used: the parameters are chosen
            pruner=build_pruner(**pruner),
        )
        trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    except (KeyError, optuna.exceptions.OptunaError) as error:
        raise ValueError(
            f"{path}: trial {number} of study {name} is not in {without_password(where)} "
            f"({error}); delete the file to train without the search"
        ) from None
    return Pruning(trial=optuna.trial.Trial(study, trial_id), objective=objective)


class Pruning(pl.Callback):
    """Reports a figure after each epoch, and raises `Pruned` where Optuna says so.

    It raises at the start of the next epoch, when the checkpoints and the row of the last one are
    written; so a trial is never pruned after its last epoch. If the storage fails, the training
    goes on without pruning.

    Args:
        trial: Optuna's trial.
        objective: the logged figure to report; None reports the size of the network alone.
    """

    def __init__(self, *, trial: Any, objective: str | None) -> None:
        self.trial = trial
        self.objective = objective
        optuna = import_optuna()
        self.errors = (
            optuna.exceptions.StorageInternalError, optuna.exceptions.UpdateFinishedTrialError,
            OSError,
        )  # fmt: skip
        self.active = not self._stored_trial().state.is_finished()

    def _stored_trial(self) -> Any:
        return self.trial.study._storage.get_trial(self.trial._trial_id)

    def _give_up(self, error: Exception) -> None:
        self.active = False
        log.warning(
            "the search's storage fails (%s); this run goes on to its end",
            str(error).strip().splitlines()[0],
        )

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.active and trainer.is_global_zero:
            size = sum(p.numel() for p in pl_module.parameters())
            try:
                self.trial.set_user_attr("parameters", size)
            except self.errors as error:
                self._give_up(error)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not (self.active and trainer.is_global_zero) or self.objective is None:
            return
        value, epoch = float(trainer.callback_metrics[self.objective]), trainer.current_epoch + 1
        try:
            # an epoch that is trained again after a kill is reported already
            if epoch not in self._stored_trial().intermediate_values:
                self.trial.report(value, step=epoch)
        except self.errors as error:
            self._give_up(error)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        ended = trainer.strategy.broadcast(
            self._should_prune() if trainer.is_global_zero else False
        )
        if ended:
            raise Pruned(
                f"pruned after epoch {trainer.current_epoch}: {self.objective} is behind the other "
                "trials' at that epoch"
            )

    def _should_prune(self) -> bool:
        if not self.active or self.objective is None:
            return False
        try:
            return self.trial.should_prune()
        except self.errors as error:
            self._give_up(error)
            return False
