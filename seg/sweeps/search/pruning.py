"""A run that belongs to a search: its validation figure is reported, and it ends where it falls
behind.
"""

import json
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

log = logging.getLogger(__name__)

PRUNERS = ("median", "hyperband", "none")
PATIENCE = 120  # seconds that a locked database is waited for


class Pruned(Exception):
    """Raised inside a training that is not worth its remaining epochs."""

    status = "pruned"


def import_optuna() -> Any:
    """Optuna, quiet. Raises ImportError naming the extra that brings it."""
    try:
        import optuna  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            f"a search needs optuna ({error}): pip install 'seg-med[sweep]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def open_storage(where: str) -> Any:
    """The storage of a study: a database's URL, `*.db` for SQLite, else a journal's file.

    No connection outlives a call, so that processes may be forked beside it. Raises ValueError
    where it cannot be opened.
    """
    optuna = import_optuna()
    if "://" not in where and not where.endswith(".db"):
        backend = optuna.storages.journal.JournalFileBackend(where)
        return optuna.storages.JournalStorage(backend)
    import sqlalchemy  # noqa: PLC0415 - comes with optuna

    url = where
    if "://" not in where:  # letters that mean something in a URL are quoted
        url = sqlalchemy.URL.create("sqlite", database=where).render_as_string(hide_password=False)
    options: dict[str, Any] = {"poolclass": sqlalchemy.pool.NullPool}
    if url.startswith("sqlite"):
        options["connect_args"] = {"timeout": PATIENCE}
    try:
        # braces are a template's to Optuna
        storage = optuna.storages.RDBStorage(
            url.replace("{", "{{").replace("}", "}}"), engine_kwargs=options
        )
    except (ImportError, sqlalchemy.exc.SQLAlchemyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"hydra.sweeper.storage={shown(where)}: cannot be opened ({reason})"
        ) from None
    return optuna.storages.get_storage(storage)


def shown(where: str) -> str:
    """A storage's address without its password."""
    if "://" not in where:
        return where
    import sqlalchemy  # noqa: PLC0415 - comes with optuna

    try:
        return sqlalchemy.make_url(where).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return where.partition("://")[0] + "://..."


def build_pruner(*, name: str, startup_trials: int, warmup_epochs: int, epochs: int) -> Any:
    """What decides which trials end early.

    startup_trials: so many run whole before any is ended (median only). warmup_epochs: every trial
    trains at least so many. epochs: of a whole training.
    """
    pruners = import_optuna().pruners
    if name == "median":
        return pruners.MedianPruner(n_startup_trials=startup_trials, n_warmup_steps=warmup_epochs)
    if name == "hyperband":
        least = min(max(1, warmup_epochs), epochs)
        return pruners.HyperbandPruner(min_resource=least, max_resource=epochs)
    return pruners.NopPruner()


def pruning_callback(folder: Path) -> pl.Callback:
    """The callback of the run whose folder holds a search's trial.json.

    Raises ValueError where that file cannot be read, or its study not be reached.
    """
    path = folder / "trial.json"
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
            sampler=optuna.samplers.RandomSampler(),  # never asked: the parameters are chosen
            pruner=build_pruner(**pruner),
        )
        trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    except (KeyError, optuna.exceptions.OptunaError) as error:
        raise ValueError(
            f"{path}: trial {number} of study {name} is not in {shown(where)} ({error}); "
            "delete the file to train without the search"
        ) from None
    return Pruning(trial=optuna.trial.Trial(study, trial_id), objective=objective)


class Pruning(pl.Callback):
    """Reports a figure after each epoch, and raises Pruned before the next where Optuna says so.

    Before the next, since by then the epoch's checkpoints and its row are written. After the last
    epoch nothing is left to save. A storage that fails costs the pruning, not the training.

    trial: optuna's. objective: what is reported, as logged; None reports the network's size alone.
    """

    def __init__(self, *, trial: Any, objective: str | None) -> None:
        self.trial = trial
        self.objective = objective
        optuna = import_optuna()
        self.errors = (
            optuna.exceptions.StorageInternalError, optuna.exceptions.UpdateFinishedTrialError,
            OSError,
        )  # fmt: skip
        self.active = not self._frozen().state.is_finished()

    def _frozen(self) -> Any:
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
            # an epoch that is trained again after a kill has been reported before
            if epoch not in self._frozen().intermediate_values:
                self.trial.report(value, step=epoch)
        except self.errors as error:
            self._give_up(error)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        ended = trainer.strategy.broadcast(self._shall_end() if trainer.is_global_zero else False)
        if ended:
            raise Pruned(
                f"pruned after epoch {trainer.current_epoch}: {self.objective} is behind the other "
                "trials' at that epoch"
            )

    def _shall_end(self) -> bool:
        if not self.active or self.objective is None:
            return False
        try:
            return self.trial.should_prune()
        except self.errors as error:
            self._give_up(error)
            return False
