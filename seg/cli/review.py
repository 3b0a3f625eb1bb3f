"""The command line, reviewed before anything runs: every problem, with the nearest names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seg.cli.compose import CONF_DIR, ConfigError, Sweep, check, compose_here, compose_sweep
from seg.cli.overrides import as_line, parse, quoted, values_of
from seg.cli.signatures import nearest


@dataclass(frozen=True)
class Reviewed:
    """configurations: sound ones. wrong: what is wrong with values of a sweep whose other values
    are sound. sweep: what is swept how; None for a single run.
    """

    configurations: list[DictConfig]
    wrong: list[str]
    sweep: Sweep | None


def review(arguments: Any, *, door: str = "train") -> Reviewed:
    """Compose what is asked for, and every value of a sweep once.

    door: the command's own configuration, which says what may stand at the top. Raises ConfigError
    where nothing sound is left.
    """
    directory = Path(arguments.config_path or CONF_DIR)
    if not directory.is_dir():
        raise ConfigError([f"--config-path {directory}: no such folder"])
    search = []
    if arguments.config_dir:
        if not Path(arguments.config_dir).is_dir():
            raise ConfigError([f"--config-dir {arguments.config_dir}: no such folder"])
        search = [f"hydra.searchpath=[file://{Path(arguments.config_dir).absolute()}]"]
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(directory.absolute())):
        return _Review(arguments, search, door).result()


class _Review:
    """One command line, composed in many ways under one initialised Hydra."""

    def __init__(self, arguments: Any, search: list[str], door: str) -> None:
        self.arguments = arguments
        self.search = search
        self.door = door
        self.loader = GlobalHydra.instance().config_loader()
        self.seen: dict[tuple[str, ...], tuple[DictConfig | None, list[str]]] = {}

    def result(self) -> Reviewed:
        overrides, problems = parse(
            [quoted(line) for line in self.arguments.overrides], self.loader
        )
        own = [o for o in overrides if not o.key_or_group.startswith("hydra")]
        theirs = [o.input_line for o in overrides if o not in own]
        problems += _missing_engines(overrides, self.loader)
        if theirs and not problems:
            sweep = [o.input_line for o in own if o.key_or_group == "sweep"]  # brings keys of hydra
            _try_compose(self.arguments.config_name, self.search + sweep + theirs, problems)
        if problems:
            raise ConfigError(problems)
        sweep = self._find_sweep(own, theirs)
        if self.arguments.multirun or sweep.mode == "MULTIRUN":
            return self._sweep(_with_params(sweep.params, own), sweep)
        cfg, problems = self._judge([o.input_line for o in own if not o.is_sweep_override()])
        several = [o.input_line for o in own if o.is_sweep_override()]
        problems = [*(f"{line}: several values need --multirun" for line in several), *problems]
        if cfg is None or problems:
            raise ConfigError(problems)
        return Reviewed([cfg], [], None)

    def _find_sweep(self, own: Sequence[Override], theirs: Sequence[str]) -> Sweep:
        """What a choice of the group `sweep` brings; nothing where it cannot be composed, of which
        the review of the rest tells why.
        """
        plain = [o.input_line for o in own if not o.is_sweep_override()]
        try:
            return compose_sweep(self.arguments.config_name, [*self.search, *plain, *theirs])
        except (HydraException, OmegaConfBaseException):
            return Sweep()

    def _sweep(self, own: Sequence[Override], sweep: Sweep) -> Reviewed:
        endless = [o.input_line for o in own if o.is_interval_sweep()]
        if endless and sweep.is_grid:
            raise ConfigError([f"{line}: an interval needs sweep=optuna" for line in endless])
        values = [values_of(o) if o.is_sweep_override() else [] for o in own]
        base = [v[0] if v else None for v in values]

        def judge(chosen: Sequence[str | None]) -> tuple[DictConfig | None, list[str]]:
            pairs = zip(own, chosen, strict=True)
            lines = [o.input_line if v is None else as_line(o, v) for o, v in pairs]
            return self._judge(lines)

        # a bad value that comes first would hide the others: look for a sound combination
        for i, options in enumerate(values):
            for value in options[1:]:
                tried = [*base[:i], value, *base[i + 1 :]]
                if len(judge(tried)[1]) < len(judge(base)[1]):
                    base = tried
        cfg, problems = judge(base)
        if cfg is None or problems:
            raise ConfigError(problems)
        sound, wrong = [cfg], []
        for i, options in enumerate(values):
            for value in options:
                cfg, problems = judge([*base[:i], value, *base[i + 1 :]])
                if problems:
                    wrong += [p for p in problems if p not in wrong]
                elif cfg is not None and value != base[i]:
                    sound.append(cfg)
        return Reviewed(sound, wrong, sweep)

    def _judge(self, lines: list[str]) -> tuple[DictConfig | None, list[str]]:
        """A configuration of overrides without sweeps, and all that is wrong with it."""
        key = tuple(lines)
        if key not in self.seen:
            self.seen[key] = self._compose(lines)
        return self.seen[key]

    def _compose(self, lines: list[str]) -> tuple[DictConfig | None, list[str]]:
        name, problems = self.arguments.config_name, []
        cfg = _try_compose(name, self.search + lines, problems)
        if cfg is not None:
            own, _ = parse(lines, self.loader)
            problems += [problem for _, problem in _unknown_keys(own, cfg, self.loader)]
            problems += _problems(cfg, self.door)
            return cfg, list(dict.fromkeys(problems))
        # what Hydra says is of the first mistake alone: look for the others
        problems, own = [], parse(lines, self.loader)[0]
        if _try_compose(name, self.search, problems) is None:
            return None, problems
        known = self.search + list(_groups(own, self.loader, self.arguments.config_dir, problems))
        shaped = _try_compose(name, known, problems)
        if shaped is not None:
            strange = {o.key_or_group: p for o, p in _unknown_keys(own, shaped, self.loader)}
            problems += strange.values()
            options = self.loader.get_group_options
            rest = [o for o in own if not options(o.key_or_group) and o.key_or_group not in strange]
            cfg = _try_compose(name, known + [o.input_line for o in rest], problems)
            if cfg is not None:
                problems += _problems(cfg, self.door)
        if not problems:
            _try_compose(name, self.search + lines, problems)
        return None, list(dict.fromkeys(problems))


ENGINES = {"joblib": "sweep", "submitit_local": "sweep", "submitit_slurm": "sweep", "ray": "ray"}


def _missing_engines(overrides: Sequence[Override], loader: Any) -> list[str]:
    there = loader.get_group_options("hydra/launcher")
    return [
        f"{o.input_line}: is not installed; pip install 'seg-med[{ENGINES[str(o.value())]}]'"
        for o in overrides
        if o.key_or_group == "hydra/launcher"
        and str(o.value()) in ENGINES
        and str(o.value()) not in there
    ]


def _with_params(params: dict[str, Any], own: Sequence[Override]) -> list[Override]:
    """A sweep's own parameters, but those that the command line sets."""
    given = {o.get_key_element() for o in own}
    lines, _ = parse([f"{key}={value}" for key, value in params.items() if key not in given])
    return [*lines, *own]


def _try_compose(config_name: str, overrides: list[str], problems: list[str]) -> DictConfig | None:
    try:
        return compose_here(config_name, overrides)
    except ConfigError as error:
        problems += error.problems
        return None
    except (HydraException, OmegaConfBaseException) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        problems.append(" ".join(lines[:2]))
        return None


def _groups(
    overrides: Sequence[Override], loader: Any, config_dir: str | None, problems: list[str]
) -> Iterator[str]:
    """The choices of config groups, first values; one that does not exist is a problem."""
    extra = Path(config_dir) if config_dir else None
    for o in overrides:
        if "." in o.key_or_group or o.is_delete():
            continue
        options = set(loader.get_group_options(o.key_or_group))
        if extra and (extra / o.key_or_group).is_dir():
            options |= {f.stem for f in (extra / o.key_or_group).glob("*.yaml")}
        if not options:
            continue
        several = isinstance(o.value(), list)  # protocol=[a,b]
        asked = [str(v) for v in o.value()] if several else values_of(o)
        wrong = [v for v in asked if v not in options]
        if o.key_or_group == "experiment":
            wrong = [v for v in wrong if v != "null"]
        choices = ", ".join(sorted(options))
        problems += [
            f"{o.key_or_group}={v}: no such choice{nearest(v, options)}; there are {choices}"
            for v in wrong
        ]
        if not wrong:
            yield f"{'+' if o.is_add() else ''}{o.key_or_group}={values_of(o)[0]}"


def _problems(cfg: DictConfig, door: str) -> list[str]:
    try:
        check(cfg, door=door)
    except ConfigError as error:
        return error.problems
    return []


def _unknown_keys(
    overrides: Sequence[Override], cfg: DictConfig, loader: Any
) -> Iterator[tuple[Override, str]]:
    names = list(_keys(cfg)) + list(loader.list_groups(""))
    for o in overrides:
        key = o.key_or_group
        if loader.get_group_options(key) or o.is_add() or o.is_force_add():
            continue  # a choice was judged already; an added key is held to a signature later
        if key not in names:
            parent = key.rpartition(".")[0]
            # a key inside an open mapping, such as dataset.classes, may be new
            if parent and OmegaConf.select(cfg, parent, default=0) is None:
                continue
            yield o, f"{key}: no such key or group{nearest(key, names)}"


def _keys(cfg: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in cfg:
        path = f"{prefix}{key}"
        yield path
        node = cfg._get_node(key)
        if isinstance(node, DictConfig) and not (node._is_missing() or node._is_none()):
            yield from _keys(node, f"{path}.")
