"""A search as Hydra's sweeper runs it: read, review, search, and say what was found."""

import logging
import math
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from seg.cli.compose import ConfigError, values_line
from seg.report import search as pictures
from seg.runs import atomic
from seg.runs.same import OF_THE_LAUNCH
from seg.sweeps import folder as sweep_folder
from seg.sweeps.running import run, sweep_of
from seg.sweeps.search import content, objectives, study
from seg.sweeps.search import options as all_options
from seg.sweeps.search import space as spaces
from seg.sweeps.search.pruning import import_optuna
from seg.sweeps.search.review import Composer
from seg.sweeps.search.search import Search

log = logging.getLogger(__name__)


def sweep(
    arguments: Sequence[str],
    *,
    options: dict[str, Any],
    config: DictConfig,
    context: HydraContext,
    launcher: Any,
) -> list[dict]:
    """Search; returns the trials of search.json. Raises ConfigError before anything runs.

    arguments: the command line's overrides. config: the sweep's, with `hydra`. The results are
    written and drawn also where the search is interrupted.
    """
    chosen = all_options.read(OmegaConf.to_container(OmegaConf.create(options), resolve=True))
    parser = OverridesParser.create(config_loader=context.config_loader)
    lines = [*(f"{key}={values_line(v)}" for key, v in chosen.params.items()), *arguments]
    space, constant, problems = spaces.read(parser.parse_overrides(lines))
    size = math.prod(dimension.size() for dimension in space)
    if not problems and size < chosen.n_trials:
        problems.append(
            f"hydra.sweeper.n_trials={chosen.n_trials}: there are only {size:g} combinations; "
            "--multirun without sweep=optuna tries them all"
        )
    if problems:
        raise ConfigError(problems)
    import_optuna()
    study.build_sampler(chosen.sampler, startup_trials=1, seed=0)
    composer = Composer(config=config, context=context, constant=constant)
    problems = composer.problems(space)
    if problems:
        raise ConfigError(problems)
    base, choices = composer.compose()
    folder = sweep_of(config)
    folder.mkdir(parents=True, exist_ok=True)
    where = study.address(chosen.storage, folder)
    found = study.open_study(
        where=where,
        name=study.study_name(folder, chosen.storage),
        directions=[objectives.direction(name) for name in chosen.objectives],
        fixed={
            "objectives": chosen.objectives,
            "space": {dimension.key: dimension.facts() for dimension in space},
            "constant": sorted(line for line in constant if not _of_the_launch(line)),
        },
        folder=folder,
    )
    search = Search(
        study=found,
        where=where,
        space=space,
        constant=constant,
        options=chosen,
        epochs=base.trainer.max_epochs + sum(stage.max_epochs for stage in base.stages.values()),
        folder=folder,
        run=lambda jobs: run(jobs, launcher=launcher, config=config),
        after_each=lambda: atomic.write_json(
            content.path(folder), content.content(search, final=False)
        ),
    )
    sweep_folder.record(folder, constant=constant, complete=False)
    search.begin(_defaults(space, base, choices))
    _announce(search)
    try:
        search.go()
    finally:
        rows = report(search)
    sweep_folder.record(folder, complete=all(row["status"] != "unfinished" for row in rows))
    return rows


def report(search: Search) -> list[dict]:
    """Write search.json and the pictures, and say what was found; returns the trials."""
    facts = content.content(search)
    atomic.write_json(content.path(search.folder), facts)
    if facts["trials"]:
        pictures.draw(facts, search.folder)
        pictures.show(facts, Console())
    return facts["trials"]


def _defaults(
    space: Sequence[spaces.Dimension], base: DictConfig, choices: dict[str, str]
) -> dict[str, Any]:
    """The configuration's own values, where the space holds them; a note of those it does not."""
    found, outside = {}, []
    for dimension in space:
        key = dimension.key.lstrip("+")
        value = choices[key] if key in choices else OmegaConf.select(base, key, default=None)
        value = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        held = dimension.held(value)
        if held is None:
            outside.append(f"{key}={value}")
        else:
            found[dimension.key] = held
    if outside:
        log.info("the first trial is not the default, %s is not in the space", ", ".join(outside))
    return found


def _of_the_launch(line: str) -> bool:
    return line.partition("=")[0].lstrip("+~") in OF_THE_LAUNCH


def _announce(search: Search) -> None:
    options, done = search.options, len(study.asked(search.study))
    already = f", {done} of them already asked for" if done else ""
    log.info(
        "searching %s by %s, %d trials%s",
        ", ".join(dimension.key for dimension in search.space),
        options.sampler,
        options.n_trials,
        already,
    )
    if options.pruner != "none" and search.reported is None:
        log.info("no trial is ended early: pruning needs one objective, of val/")
