"""Jobs that are not trained: they report a curve of their parameters."""

import json
import math
from types import SimpleNamespace

from hydra.core.override_parser.overrides_parser import OverridesParser

from seg.runs.folder import RunFolder
from seg.sweeps.search import options, space, study
from seg.sweeps.search.search import Search
from seg.training.pruning import Pruned, pruning_callback

EPOCHS = 4
LINES = ("lr=tag(log, interval(1e-4, 1e-1))", "loss=choice(bce,dice)", "width=range(8,33,8)")
DEFAULTS = {"lr": 1e-3, "loss": "bce", "width": 32}


class Killed(BaseException):
    """What ends a search as a signal would."""


def dice(params, epoch):
    """Best at a rate of 0.01 with dice; grows over the epochs."""
    rate = 1 - abs(math.log10(float(params["lr"])) + 2) / 4
    return (rate + (params["loss"] == "dice")) / 2 * epoch / EPOCHS


def lightning(epoch, **figures):
    """What the callback reads of a Trainer."""
    return SimpleNamespace(
        is_global_zero=True,
        current_epoch=epoch,
        callback_metrics=figures,
        strategy=SimpleNamespace(broadcast=lambda value: value),
    )


def network(size=7):
    return SimpleNamespace(parameters=lambda: [SimpleNamespace(numel=lambda: size)])


def train(job, *, curve=dice, begin=0, stop=EPOCHS):
    """Run the epochs `begin` to `stop` of a job; returns its run folder."""
    params = params_of(job)
    callback = pruning_callback(job.folder)
    callback.on_fit_start(lightning(begin), network())
    value = 0.0
    facts = {"status": "finished", "seconds": 1.0}
    for epoch in range(begin, stop):
        try:
            callback.on_train_epoch_start(lightning(epoch), None)
        except Pruned as error:
            facts |= {"status": type(error).status, "error": str(error)}
            break
        value = curve(params, epoch + 1)
        callback.on_train_epoch_end(lightning(epoch, **{"val/dice": value}), None)
    facts["val/dice"] = value
    return ended(job, **facts)


def ended(job, **facts):
    """The run folder of a job whose run.json holds these facts."""
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "run.json").write_text(json.dumps(facts))
    return RunFolder(job.folder)


def trained(jobs):
    return [train(job) for job in jobs]


def finished(jobs):
    """As `trained`, at once and without a report after each epoch."""
    return [
        ended(
            job, **{"status": "finished", "val/dice": dice(params_of(job), EPOCHS), "seconds": 1.0}
        )
        for job in jobs
    ]


def params_of(job):
    overrides = OverridesParser.create().parse_overrides(list(job.overrides))
    return {o.key_or_group: o.value() for o in overrides}


def make(folder, *, run=finished, lines=LINES, **changed):
    """A search in `folder`, opened as a command opens it, that has begun.

    Kept in a journal, which is quicker than a database; storage=None for SQLite.
    """
    given = {
        "n_trials": 6, "cpu_minutes": None, "n_jobs": 1, "sampler": "random",
        "startup_trials": 3, "pruner": "none",
        "pruner_startup": 2, "warmup_epochs": 1, "seed": 1,
        "storage": str(folder.parent / "journal.log"), "objectives": ["val/dice"], "params": {},
    }  # fmt: skip
    chosen = options.read(given | changed)
    found, constant, problems = space.read(OverridesParser.create().parse_overrides(list(lines)))
    assert problems == []
    folder.mkdir(exist_ok=True, parents=True)
    where = study.address(chosen.storage, folder)
    opened = study.open_study(
        where=where,
        name=study.study_name(folder, chosen.storage),
        directions=[options.direction(name) for name in chosen.objectives],
        fixed={
            "objectives": chosen.objectives,
            "space": {d.key: d.facts() for d in found},
            "constant": constant,
        },
        folder=folder,
    )
    search = Search(
        study=opened, where=where, space=found, constant=constant, options=chosen, epochs=EPOCHS,
        folder=folder, run=run,
    )  # fmt: skip
    members = {d.key: d.member(DEFAULTS[d.key]) for d in found if d.key in DEFAULTS}
    search.begin({key: value for key, value in members.items() if value is not None})
    return search
