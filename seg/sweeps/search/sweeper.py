"""A search as Hydra's sweeper runs it: read the options, check the space, search, report."""

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from seg.cli.check import check
from seg.cli.compose import ConfigError
from seg.cli.flags import search_flags
from seg.cli.overrides import values_line
from seg.report import search as search_report
from seg.runs import atomic
from seg.runs.resume import LAUNCH_KEYS
from seg.sweeps import folder as sweep_folder
from seg.sweeps.jobs import compose_job, run_jobs
from seg.sweeps.search import options as search_options
from seg.sweeps.search import record, study
from seg.sweeps.search import space as search_space
from seg.sweeps.search.search import Search
from seg.sweeps.search.space import Dimension, Numbers
from seg.training.pruning import import_optuna

log = logging.getLogger(__name__)


def sweep(
    arguments: Sequence[str],
    *,
    options: dict[str, Any],
    config: DictConfig,
    context: HydraContext,
    launcher: Any,
) -> list[dict]:
    """Search. The results are written and drawn also where the search is interrupted.

    Args:
        arguments: the overrides of the command line.
        options: the keys of `hydra.sweeper`.
        config: the sweep's configuration, with its `hydra` node.
        context: Hydra's context.
        launcher: Hydra's launcher.

    Returns:
        The trials of search.json.

    Raises:
        ConfigError: everything that is wrong, before anything runs.
    """
    checked = search_options.read(OmegaConf.to_container(OmegaConf.create(options), resolve=True))
    folder = Path(str(config.hydra.sweep.dir))
    parser = OverridesParser.create(config_loader=context.config_loader)
    given = parser.parse_overrides(list(arguments))
    params = checked.params | _default_space(checked, given, folder)
    lines = [f"{key}={values_line(value)}" for key, value in params.items()]
    space, constant, problems = search_space.read([*parser.parse_overrides(lines), *given])
    size = math.prod(dimension.size() for dimension in space)
    if not problems and size < checked.n_trials:
        problems.append(
            f"hydra.sweeper.n_trials={checked.n_trials}: there are only {size:g} combinations; "
            "--multirun without sweep=optuna tries them all"
        )
    if problems:
        raise ConfigError(problems)
    import_optuna()
    study.build_sampler(checked.sampler, startup_trials=1, seed=0)

    def compose(overrides: Sequence[str] = ()) -> tuple[DictConfig, dict[str, str]]:
        return compose_job(config, context.config_loader, [*constant, *overrides])

    problems = _value_problems(space, compose)
    if problems:
        raise ConfigError(problems)
    base, choices = compose()
    folder.mkdir(parents=True, exist_ok=True)
    where = study.address(checked.storage, folder)
    opened = study.open_study(
        where=where,
        name=study.study_name(folder, checked.storage),
        directions=[search_options.direction(name) for name in checked.objectives],
        fixed={
            "objectives": checked.objectives,
            "space": {dimension.key: dimension.facts() for dimension in space},
            "constant": sorted(line for line in constant if not _is_launch_key(line)),
        },
        folder=folder,
    )
    search = Search(
        study=opened,
        where=where,
        space=space,
        constant=constant,
        options=checked,
        epochs=base.trainer.max_epochs + sum(stage.max_epochs for stage in base.stages.values()),
        folder=folder,
        flags=search_flags(config.hydra),
        run=lambda jobs: run_jobs(jobs, launcher=launcher, config=config),
        after_each=lambda: _write(search, final=False),
    )
    sweep_folder.record(folder, constant=constant, complete=False)
    search.begin(_defaults(space, base, choices))
    _log_start(search)
    try:
        search.run_trials()
    finally:
        trials = report(search)
    sweep_folder.record(folder, complete=all(t["status"] != "unfinished" for t in trials))
    return trials


def _default_space(
    options: search_options.Options, given: Sequence[Override], folder: Path
) -> dict[str, Any]:
    """The parameters of `default_params` to search: all where the command names none, else none.

    A search that an earlier version began goes on in the space that it has.
    """
    if not options.params and not any(o.is_sweep_override() for o in given):
        return options.default_params
    begun = record.read(folder).get("space", {})
    kept = {key: value for key, value in options.default_params.items() if key in begun}
    keys = {o.get_key_element().lstrip("+~") for o in given} | options.params.keys() | kept.keys()
    left_out = [key for key in options.default_params if key not in keys]
    if left_out:
        log.info(
            "only what the command names is searched; %s as well where it is named",
            ", ".join(left_out),
        )
    return kept


def report(search: Search) -> list[dict]:
    """Write search.json and the pictures, and print the result; returns the trials."""
    content = _write(search, final=True)
    if content["trials"]:
        search_report.draw(content, search.study, search.folder)
        search_report.show(content, Console())
    return content["trials"]


def _write(search: Search, *, final: bool) -> dict[str, Any]:
    content = record.content(search, final=final)
    atomic.write_json(record.path(search.folder), content)
    return content


def _value_problems(space: Sequence[Dimension], compose: Any) -> list[str]:
    """What is wrong with the choices of a space and the ends of its intervals, one by one."""
    problems = []
    for dimension in space:
        for value in _samples(dimension):
            line = f"{dimension.key}={value}"
            try:
                check(compose([line])[0])
            except ConfigError as error:
                problems += [p if dimension.key in p else f"{line}: {p}" for p in error.problems]
            except (HydraException, OmegaConfBaseException) as error:
                problems.append(f"{line}: {str(error).strip().splitlines()[0]}")
    return list(dict.fromkeys(problems))


def _samples(dimension: Dimension) -> Iterator[Any]:
    if isinstance(dimension, Numbers):
        yield from (dimension.low, dimension.high)
    else:
        yield from dimension.values


def _defaults(
    space: Sequence[Dimension], base: DictConfig, choices: dict[str, str]
) -> dict[str, Any]:
    """The configuration's own values where they are in the space; those that are not are logged."""
    defaults, outside = {}, []
    for dimension in space:
        key = dimension.key.lstrip("+")
        value = choices[key] if key in choices else OmegaConf.select(base, key, default=None)
        value = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        member = dimension.member(value)
        if member is None:
            outside.append(f"{key}={value}")
        else:
            defaults[dimension.key] = member
    if outside:
        log.info("the first trial is not the default, %s is not in the space", ", ".join(outside))
    return defaults


def _is_launch_key(line: str) -> bool:
    return line.partition("=")[0].lstrip("+~") in LAUNCH_KEYS


def _log_start(search: Search) -> None:
    options, count = search.options, len(study.proposed(search.study))
    log.info(
        "searching %s by %s, %d trials%s",
        ", ".join(dimension.key for dimension in search.space),
        options.sampler,
        options.n_trials,
        f", {count} of them already proposed" if count else "",
    )
    if options.pruner != "none" and options.reported is None:
        log.info("no trial is ended early: pruning needs one objective, of val/")
