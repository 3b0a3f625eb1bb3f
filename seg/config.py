"""Where conf/ is, and how a door is opened: compose, check, run, and say what went wrong in one
message.
"""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seg import check as checks

log = logging.getLogger("seg")

_PACKAGED = Path(__file__).parent / "conf"
CONF_DIR = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent / "conf"

# Hydra shall write and log nothing: the run folder is ours.
_QUIET = ["hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none"]
MAX_LINES = 18


class ConfigError(ValueError):
    """A configuration that is refused; the message lists all that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        shown = [f"  {p}" for p in problems[:MAX_LINES]]
        if len(problems) > MAX_LINES:
            shown.append(f"  ... and {len(problems) - MAX_LINES} more")
        super().__init__("\n".join(["the configuration is refused:", *shown]))
        self.problems = list(problems)


def out_channels(classes: Any) -> int:
    """Channels of logits for `dataset.classes`: 1 for one class, else the classes and
    background.
    """
    count = 1 if classes is None else len(classes)
    return 1 if count == 1 else count + 1


OmegaConf.register_new_resolver("out_channels", out_channels, replace=True)


def plain(cfg: Any) -> Any:
    """Resolved plain containers of a configuration node."""
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)


def check(cfg: DictConfig) -> None:
    """Raises ConfigError with everything that is wrong in a training configuration."""
    missing = sorted(OmegaConf.missing_keys(cfg))
    problems = [f"{key}: required; give {key}=..." for key in missing]
    if not problems:
        try:
            content = plain(cfg)
        except OmegaConfBaseException as error:
            problems = [str(error).splitlines()[0]]
        else:
            known = OmegaConf.load(CONF_DIR / "train.yaml")
            groups = [d.name for d in CONF_DIR.iterdir() if d.is_dir()]
            top = [str(k) for k in known if k not in ("defaults", "hydra")] + groups
            problems = checks.check(content, top_level=top)
    if problems:
        raise ConfigError(problems)


def compose(
    overrides: Sequence[str] = (), *, config_name: str = "train", config_dir: Path = CONF_DIR
) -> DictConfig:
    """A configuration as a door would get it. `overrides` as on the command line."""
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(config_dir)):
        return _compose(config_name, list(overrides))


def _compose(config_name: str, overrides: list[str]) -> DictConfig:
    cfg = hydra.compose(config_name, overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)  # `name` reads the choices from there
    OmegaConf.set_struct(cfg, False)
    name = cfg.name if "name" in cfg else None
    del cfg["hydra"]
    if name is not None:
        cfg.name = name
    return cfg


def review(arguments: Any) -> list[DictConfig]:
    """Compose what the command line asks for, and every value of a sweep once. Raises
    ConfigError.
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
        overrides, problems = _parse([quoted(line) for line in arguments.overrides])
        own = [o for o in overrides if not o.key_or_group.startswith("hydra")]
        loader = GlobalHydra.instance().config_loader()
        base = _try_compose(arguments.config_name, search, problems)
        if base is None:
            raise ConfigError(problems)
        known = search + list(_groups(own, loader, arguments.config_dir, problems))
        shaped = _try_compose(arguments.config_name, known, problems)
        if shaped is not None:
            problems += list(_unknown_keys(own, shaped, loader))
        if problems:
            raise ConfigError(problems)
        composed = []
        for variant in _variants(own):
            cfg = _try_compose(arguments.config_name, search + variant, problems)
            if cfg is not None:
                composed.append(cfg)
        return _all_or_refuse(composed, problems)


def _all_or_refuse(composed: list[DictConfig], problems: list[str]) -> list[DictConfig]:
    for cfg in composed:
        try:
            check(cfg)
        except ConfigError as error:
            problems += [p for p in error.problems if p not in problems]
    if problems:
        raise ConfigError(problems)
    return composed


def quoted(line: str) -> str:
    """An override as Hydra's grammar reads it: a path with a blank or an accent gets its quotes."""
    key, equals, value = line.partition("=")
    try:
        OverridesParser.create().parse_override(line)
    except (OverrideParseException, HydraException):
        if equals and value and not set(value) & set("[]{}()'\",="):
            return f"{key}='{value}'"
    return line


def _parse(lines: Sequence[str]) -> tuple[list[Override], list[str]]:
    parser, found, problems = OverridesParser.create(), [], []
    for line in lines:
        try:
            found.append(parser.parse_override(line))
        except (OverrideParseException, HydraException):
            problems.append(
                f"{line}: cannot be read; write key=value, and quote blanks and brackets"
            )
    return found, problems


def _try_compose(config_name: str, overrides: list[str], problems: list[str]) -> DictConfig | None:
    try:
        return _compose(config_name, overrides)
    except (HydraException, OmegaConfBaseException) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        problems.append(" ".join(lines[:2]))
        return None


def _values(override: Override) -> list[str]:
    if override.is_sweep_override():
        return [str(v) for v in override.sweep_string_iterator()]
    return [str(override.get_value_element_as_str())] if override.value() is not None else ["null"]


def _groups(
    overrides: Sequence[Override], loader: Any, config_dir: str | None, problems: list[str]
) -> Iterator[str]:
    """The choices of config groups, first value of each; a choice that does not exist is a
    problem.
    """
    extra = Path(config_dir) if config_dir else None
    for o in overrides:
        if "." in o.key_or_group or o.is_delete():
            continue
        options = set(loader.get_group_options(o.key_or_group))
        if extra and (extra / o.key_or_group).is_dir():
            options |= {f.stem for f in (extra / o.key_or_group).glob("*.yaml")}
        if not options:
            continue
        wrong = [v for v in _values(o) if v not in options and v != "null"]
        choices = ", ".join(sorted(options))
        problems += [
            f"{o.key_or_group}={v}: no such choice{checks.nearest(v, options)}; there are {choices}"
            for v in wrong
        ]
        if not wrong:
            yield f"{'+' if o.is_add() else ''}{o.key_or_group}={_values(o)[0]}"


def _unknown_keys(overrides: Sequence[Override], cfg: DictConfig, loader: Any) -> Iterator[str]:
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
            yield f"{key}: no such key or group{checks.nearest(key, names)}"


def _keys(cfg: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in cfg:
        path = f"{prefix}{key}"
        yield path
        node = cfg._get_node(key)
        if isinstance(node, DictConfig) and not (node._is_missing() or node._is_none()):
            yield from _keys(node, f"{path}.")


def _variants(overrides: Sequence[Override]) -> Iterator[list[str]]:
    """The overrides with the first value of every sweep, then each further value with all others
    first.
    """
    first = [_line(o, _values(o)[0]) if o.is_sweep_override() else o.input_line for o in overrides]
    yield first
    for i, o in enumerate(overrides):
        if o.is_sweep_override():
            for value in _values(o)[1:]:
                yield [*first[:i], _line(o, value), *first[i + 1 :]]


def _line(override: Override, value: str) -> str:
    return f"{override.get_key_element()}={value}"


def job_folder() -> Path | None:
    """The folder of this job of a sweep; None in a single run."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return Path(HydraConfig.get().sweep.dir) / HydraConfig.get().sweep.subdir


def launch(
    task: Callable[[DictConfig], Any],
    *,
    config_name: str,
    sweep_folder: Callable[[Path], Path],
    after_sweep: Callable[[Path], int],
) -> None:
    """Open a door: read the command line, review it, run the task once or as a sweep, and exit.

    sweep_folder: makes the folder of a sweep below the given one. after_sweep: sums it up, and
    returns how many jobs failed. Exit status: 0 done, 1 refused or failed, 130 after Ctrl-C, 143
    after SIGTERM.
    """
    _say_little()
    signal.signal(signal.SIGTERM, _terminated)
    try:
        arguments = get_args_parser().parse_args()
        arguments.config_name = arguments.config_name or config_name
        argv = [quoted(a) if a in arguments.overrides else a for a in sys.argv[1:]]
        if arguments.config_path:  # Hydra would look beside this file, users mean where they stand
            absolute = str(Path(arguments.config_path).absolute())
            argv = [a.replace(arguments.config_path, absolute) for a in argv]
        folder = None
        if not (arguments.hydra_help or arguments.help or arguments.info):
            composed = review(arguments)
            if arguments.multirun:
                folder = sweep_folder(
                    Path(composed[0].output_dir).expanduser().absolute() / "multirun"
                )
                argv += _sweep_overrides(arguments.overrides, folder)
        argv += [line for line in ["hydra.run.dir=.", *_QUIET] if line not in argv]
        sys.argv = [sys.argv[0], *argv]
        errors: list[Exception] = []
        main = hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name=config_name)
        main(_kept(task, errors))()
        if folder is not None:
            failed = after_sweep(folder)
        elif errors:
            raise errors[0]
        else:
            failed = 0
    except (KeyboardInterrupt, Exception) as error:
        sys.exit(report(error))
    sys.exit(1 if failed else 0)


def _sweep_overrides(lines: Sequence[str], folder: Path) -> list[str]:
    overrides, _ = _parse(lines)
    constant = [o.key_or_group for o in overrides if not o.is_sweep_override()]
    return [
        f"hydra.sweep.dir='{folder}'",
        "hydra.sweep.subdir=${hydra.job.num}_${hydra.job.override_dirname}",
        f"hydra.job.config.override_dirname.exclude_keys=[{','.join(constant)}]",
    ]


def _kept(
    task: Callable[[DictConfig], Any], errors: list[Exception]
) -> Callable[[DictConfig], None]:
    """Keep errors from Hydra, which would print its own account of them and end the sweep."""

    def run(cfg: DictConfig) -> None:
        try:
            task(cfg)
        except Exception as error:
            errors.append(error)
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                report(error)

    return run


def report(error: BaseException) -> int:
    """Print one short message; returns the exit status."""
    if isinstance(error, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise error
    lines = str(error).strip().splitlines() or [type(error).__name__]
    shown = lines[: MAX_LINES + 1]
    if not isinstance(error, ValueError | OSError | ImportError):
        shown[0] = f"{type(error).__name__}: {shown[0]}"
        shown.append("(HYDRA_FULL_ERROR=1 shows where)")
    print("error:", "\n".join(shown), file=sys.stderr)
    return 1


def _terminated(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def _say_little() -> None:
    """Our own lines on stderr, and of the libraries' only what a user can act on."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    for name in ("pytorch_lightning", "lightning_fabric", "torch.distributed", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for module in (
        "pytorch_lightning",
        "lightning_fabric",
        "torch",
        "torchmetrics",
        "albumentations",
        "hydra",
    ):
        warnings.filterwarnings("ignore", module=rf"{module}\..*")
