"""The command line, composed and checked before anything runs: every problem, with near names."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seg.cli import aliases
from seg.cli.check import check
from seg.cli.choices import missing_launchers, no_such_choice
from seg.cli.compose import CONF_DIR, ConfigError, compose_here, in_sweep, plain
from seg.cli.fixed import of_evaluation
from seg.cli.overrides import derived, parse, quoted, values_line, values_of
from seg.cli.signatures import nearest, walk

log = logging.getLogger(__name__)
GRID = "hydra_plugins.seg_grid.SegGridSweeper"
HYDRAS_GRID = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"  # ours runs in its place
Lines = tuple[str, ...]  # overrides
Result = tuple[DictConfig | None, list[str]]  # a configuration, and what is wrong with it


@dataclass(frozen=True)
class Review:
    """A command line that can run, at least in part.

    configurations: of a sweep, each value that passes is in one of them.
    problems: of those values of a sweep that do not pass.
    sweeper: dotted name of Hydra's sweeper; None for a single run.
    """

    configurations: list[DictConfig]
    problems: list[str]
    sweeper: str | None


def review(arguments: Any, *, command: str = "train", files: bool = False) -> Review:
    """Compose and check a command line; of a sweep every value once, not every combination.

    Args:
        arguments: as Hydra's parser reads them, with `config_name`.
        command: whose rules apply, whatever the configuration is called.
        files: whether a single run must have the files that it reads.
    Raises:
        ConfigError: a run that does not pass, or a sweep in which nothing does.
        FileNotFoundError, ValueError: as `seg.cli.files.require_files`.
    """
    directory = Path(arguments.config_path or CONF_DIR)
    extra = Path(arguments.config_dir) if arguments.config_dir else None
    for flag, folder in (("--config-path", directory), ("--config-dir", extra)):
        if folder is not None and not folder.is_dir():
            raise ConfigError([f"{flag} {folder}: no such folder"])
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(directory.absolute())):
        return _CommandLine(arguments, extra, command).review(files)


class _CommandLine:
    """One command line, composed in many ways. Used where Hydra is initialised."""

    def __init__(self, arguments: Any, extra: Path | None, command: str) -> None:
        self.arguments, self.extra, self.command = arguments, extra, command
        self.files = False
        self.base: tuple[DictConfig | None, Lines] = (None, ())  # others are made of it
        self.search = [f"hydra.searchpath=[file://{extra.absolute()}]"] if extra else []
        self.repository = GlobalHydra.instance().config_loader().repository  # the loader copies it
        self.groups = self.repository.get_group_options("", ObjectType.GROUP)
        self.groups += [p.name for p in extra.iterdir() if p.is_dir()] if extra else []
        cached = map(cache, (self._compose, self._check, self._options))  # by lines, by group
        self._compose, self._check, self._options = cached

    def review(self, files: bool) -> Review:
        overrides, problems = parse([quoted(o, self.command) for o in self.arguments.overrides])
        own = [o for o in overrides if not o.key_or_group.startswith("hydra")]
        hydras = [o.input_line for o in overrides if o not in own]
        problems += missing_launchers(overrides)
        if hydras and not problems:
            sweep = [o.input_line for o in own if o.key_or_group == "sweep"]  # it adds hydra's keys
            problems += self._compose((*sweep, *hydras))[1]
        if problems:
            raise ConfigError(problems)
        single = tuple(o.input_line for o in own if not o.is_sweep_override())
        is_sweep, values, sweeper = self._sweep_settings((*single, *hydras))
        if self.arguments.multirun or is_sweep:
            keys = {o.get_key_element() for o in own}
            more = [f"{key}={values_line(v)}" for key, v in values.items() if key not in keys]
            return self._review_sweep([*parse(more)[0], *own], sweeper)
        several = [o.input_line for o in own if o.is_sweep_override()]
        problems = [f"{line}: several values need --multirun" for line in several]
        self.files = files and not problems
        return Review([self._passed(single, problems)], [], None)

    def _sweep_settings(self, lines: Lines) -> tuple[bool, dict[str, Any], str]:
        """What a choice of `sweep` sets: whether it needs no flag, values by key, and a sweeper."""
        if self._compose(lines)[0] is None:
            return False, {}, GRID  # checking the rest tells why it cannot be composed
        sweeper = HydraConfig.get().sweeper
        values, target = sweeper.get("params") or {}, sweeper["_target_"]
        return in_sweep(), values and plain(values), GRID if target == HYDRAS_GRID else target

    def _review_sweep(self, overrides: Sequence[Override], sweeper: str) -> Review:
        intervals = [o.input_line for o in overrides if o.is_interval_sweep()]
        if intervals and sweeper == GRID:
            raise ConfigError([f"{line}: an interval needs sweep=optuna" for line in intervals])
        options = [
            [f"{o.get_key_element()}={value}" for value in values_of(o)]
            if o.is_sweep_override()
            else [o.input_line]
            for o in overrides
        ]
        base = tuple(lines[0] for lines in options)

        def changed(index: int, line: str) -> Lines:
            return (*base[:index], line, *base[index + 1 :])

        if (count := sum(map(len, options))) > 100:  # a few seconds
            log.info("%d values are checked before the first job", count)
        self.base = (self._compose(base)[0], base)
        # A value that does not pass would hide the problems of all others: find a base that passes.
        for i, lines in enumerate(options):
            for line in lines[1:]:
                if len(self._check(changed(i, line))[1]) < len(self._check(base)[1]):
                    base = changed(i, line)
        passed, problems = [self._passed(base)], []
        self.base = (passed[0], base)
        for i, lines in enumerate(options):
            for line in lines:
                cfg, wrong = self._check(changed(i, line))
                problems += [problem for problem in wrong if problem not in problems]
                if not wrong and line != base[i]:
                    passed.append(cfg)
        return Review(passed, problems, sweeper)

    def _passed(self, lines: Lines, problems: Sequence[str] = ()) -> DictConfig:
        cfg, more = self._check(lines)
        if cfg is None or problems or more:
            raise ConfigError([*problems, *more])
        return cfg

    def _check(self, lines: Lines) -> Result:
        """The configuration of overrides with one value each, and all that is wrong with it."""
        cfg, problems = self._compose(lines)
        if cfg is None:
            problems = self._explain(lines) or problems
        else:
            problems = [*self._unknown(parse(lines)[0], cfg).values()]
            problems += self._problems(cfg, imports=not problems)
        return cfg, list(dict.fromkeys(problems))

    def _explain(self, lines: Lines) -> list[str]:
        """All mistakes of overrides that cannot be composed; Hydra tells of the first alone."""
        cfg, problems = self._compose(())
        if cfg is None:
            return problems
        overrides = parse(lines)[0]
        choices, problems = self._choices(overrides)
        cfg, more = self._compose(tuple(choices))
        problems += more
        if cfg is not None:
            unknown = self._unknown(overrides, cfg)
            problems += unknown.values()
            keys = [o for o in overrides if not self._options(o.key_or_group)]
            values = [o.input_line for o in keys if o.key_or_group not in unknown]
            cfg, more = self._compose((*choices, *values))
            problems += more if cfg is None else self._problems(cfg, imports=not problems)
        return problems

    def _compose(self, lines: Lines) -> Result:
        if (cfg := derived(*self.base, lines, self._options)) is not None:
            return cfg, []
        try:
            return compose_here(self.arguments.config_name, [*self.search, *lines]), []
        except ConfigError as error:
            return None, error.problems
        except (HydraException, OmegaConfBaseException) as error:
            text = [line.strip() for line in str(error).splitlines() if line.strip()]
            return None, [" ".join(text[:2])]

    def _problems(self, cfg: DictConfig, *, imports: bool) -> list[str]:
        shown = bool(self.arguments.cfg)
        options = {"imports": imports and not shown, "complete": not shown, "files": self.files}
        try:
            check(cfg, command=self.command, **options, given=self._given(cfg))
        except ConfigError as error:
            return error.problems
        return []

    def _given(self, cfg: DictConfig) -> list[str]:
        """The keys of the command line; all keys where files of the user's own have some."""
        if self.extra is not None or self.arguments.config_path:
            return [path for path, _ in walk(OmegaConf.to_container(cfg))]
        keys = (line.partition("=")[0].lstrip("+~") for line in self.arguments.overrides)
        return [key for key in keys if "." in key]

    def _options(self, group: str) -> set[str]:
        """The choices of a group; none of what is no group."""
        own = (self.extra / group).glob("*.yaml") if self.extra else ()
        return {*self.repository.get_group_options(group), *(file.stem for file in own)}

    def _choices(self, overrides: Sequence[Override]) -> tuple[list[str], list[str]]:
        """The choices of groups that exist, of several the first, and problems of the others."""
        chosen, problems = [], []
        for o in overrides:
            group = o.key_or_group
            names = self._options(group)
            if "." in group or o.is_delete() or not names:
                continue
            text = o.input_line.partition("=")[2]
            if not o.is_add() and (known := aliases.answer(self.command, group, None, text)):
                problems.append(known)  # such as model=RUN of seg.predict
                continue
            several = o.value() if isinstance(o.value(), list) else values_of(o)  # protocol=[a,b]
            values = [str(value) for value in several]
            allowed = names | {"null"} if group == "experiment" else names
            wrong = [value for value in values if value not in allowed]
            problems += [no_such_choice(group, value, names, self.extra) for value in wrong]
            if not wrong:
                chosen.append(f"{'+' if o.is_add() else ''}{group}={values_of(o)[0]}")
        return chosen, problems

    def _unknown(self, overrides: Sequence[Override], cfg: DictConfig) -> dict[str, str]:
        """A problem for each key that the configuration does not have."""
        names = [path for path, _ in walk(OmegaConf.to_container(cfg))] + self.groups
        problems = {}
        for o in overrides:
            key = o.key_or_group
            if self.command == "evaluate" and (problem := of_evaluation(key)):
                problems[key] = problem
                continue
            # Hydra refuses a deleted one, check() an added one, and _choices() a wrong choice
            if o.is_delete() or o.is_add() or o.is_force_add() or self._options(key):
                continue
            parent = key.rpartition(".")[0]
            # a key of an open mapping, such as dataset.classes, may be new
            is_open = parent and OmegaConf.select(cfg, parent, default=0) is None
            if key not in names and not is_open:
                value = None if o.is_sweep_override() else o.value()
                known = aliases.answer(self.command, key, value, o.input_line.partition("=")[2])
                problems[key] = known or f"{key}: no such key or group{nearest(key, names)}"
        return problems
