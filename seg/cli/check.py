"""check(cfg): everything that is wrong with a configuration, before data is read."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seg.cli import datasets, fixed, logger_rules, loss_rules, targets
from seg.cli.compose import CONF_DIR, ConfigError, plain
from seg.cli.files import require_files
from seg.cli.rule import Rule, as_typed, count, number
from seg.cli.rules import DATASET, MUST_EXIST, RULES, STAGE
from seg.cli.signatures import is_target, nearest, walk
from seg.cli.targets import LOADING
from seg.data.errors import shown
from seg.data.split.draw import check_sizes

# not in runs of earlier versions
NEWER = {
    "init_from_partial", "ema", "figures", "logger", "callbacks", "dataset.name",
    "dataset.overlap", "dataset.mask_threshold", "dataset.patch_size", "dataset.patch_foreground",
    "dataset.patches_per_image", "dataset.sampling", "dataset.sampling_foreground",
}  # fmt: skip

_SPLIT = {"val", "test", "by", "seed", "folds", "fold", "file", "duplicates"}
_STAGE = {"loss", "optimizer", "scheduler", "max_epochs"}


def check(
    cfg: DictConfig,
    *,
    command: str = "train",
    imports: bool = True,
    complete: bool = True,
    given: Collection[str] | None = None,
    files: bool = False,
) -> None:
    """Refuse a configuration with what is wrong with it.

    Nothing is built.

    Args:
        cfg: as composed for the command.
        command: train, evaluate, predict, export, prepare, compare or demo.
        imports: compare with what a `_target_` names, if all else is right; that takes seconds.
        complete: required keys must be there.
        given: keys that a user gave; the source of what they are for is read before the imports.
        files: whether the files that the command reads must be there.
    Raises:
        ConfigError: one line for each problem.
        FileNotFoundError, ValueError: as `require_files`, if all else is right.
    """
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing and complete:
        raise ConfigError([f"{key}: required; give {key}=..." for key in missing])
    try:
        content = plain(cfg)
    except OmegaConfBaseException as error:
        if missing:  # which the value is made of
            return
        raise ConfigError([str(error).splitlines()[0]]) from None
    problems = [*_problems(content, command)]
    if complete and command == "evaluate" and content["run"] is content["runs"] is None:
        problems.append("run: required; give run=RUN_DIR, or runs=GLOB")
    for keys in (given or (), None) if imports else ():
        if keys is None and files and not problems:
            require_files(cfg, command)
        ruled = _rules(command, content)
        problems = problems or [*targets.problems(content, ruled=ruled, keys=keys)]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))


def _problems(cfg: Mapping[str, Any], command: str) -> Iterator[str]:
    nodes, rules = dict(walk(cfg)), _rules(command, cfg)
    yield from _sections(cfg, command)
    if command == "train":
        yield from (*fixed.of_trainer(cfg), *logger_rules.problems(cfg))
    if "datasets" in cfg:
        yield from datasets.conflicts(cfg, command)
    escaped = [path for path, node in nodes.items() if isinstance(node, str) and "${" in node]
    yield from (f"{p}: refused, an escaped interpolation could build anything" for p in escaped)
    for path, rule in rules.items():
        if nodes.get(path, "???") != "???" and not rule.allows(nodes[path]):
            yield f"{path}={as_typed(nodes[path])}: must be {rule.wanted}"
    yield from (*fixed.of_figures(cfg), *_conflicts(cfg, nodes))
    yield from _training_conflicts(cfg, nodes)
    yield from loss_rules.problems(cfg)
    for key in MUST_EXIST[command]:
        given = cfg.get(key)  # a run of an earlier version may lack it
        for value in given if isinstance(given, list) else [given]:
            named = isinstance(value, str) and value not in ("auto", "???")
            if named and not Path(value).expanduser().exists():
                yield f"{key}={shown(value)}: no such file or folder"
    if is_target(cfg.get("dataset")):
        yield from (*_dataset(cfg["dataset"]), *_patch_conflicts(cfg))
    if (CONF_DIR / "experiment" / f"{cfg.get('plan')}.yaml").is_file():
        yield f"plan={cfg['plan']}: an experiment of seg has this name; choose another"


def _stages(cfg: Mapping[str, Any]) -> Mapping[str, Any]:
    stages = cfg.get("stages")
    return stages if isinstance(stages, Mapping) else {}


def _rules(command: str, cfg: Mapping[str, Any]) -> dict[str, Rule]:
    rules = RULES[command] | loss_rules.rules(cfg)
    if is_target(cfg.get("dataset")):  # which an evaluation may leave out
        rules |= DATASET
    for name in _stages(cfg):
        rules |= {f"stages.{name}.{key}": rule for key, rule in STAGE.items()}
        rules[f"stages.{name}.max_epochs"] = count(1)
    return rules


@cache
def _layout(command: str) -> tuple[dict[str, Any], dict[str, str | None]]:
    """The keys of a command's own file with their defaults, and its groups with their choices."""
    known = OmegaConf.to_container(OmegaConf.load(CONF_DIR / f"{command}.yaml"))
    del known["hydra"]
    groups = [item.items() for item in known.pop("defaults") if item != "_self_"]
    choices = {group: choice for item in groups for group, choice in item if " " not in group}
    # `sweep` sets keys of Hydra alone; the optional ones add to another group
    return known, {g: c for g, c in choices.items() if g not in ("sweep", *logger_rules.GROUPS)}


def _sections(cfg: Mapping[str, Any], command: str) -> Iterator[str]:
    """Keys and groups that are unknown, missing, or of another kind."""
    keys, choices = _layout(command)
    groups = [g for g, choice in choices.items() if choice is not None or is_target(cfg.get(g))]
    yield from _unknown("", cfg, [*keys, *groups])
    # in a run's config.yaml that an older version wrote
    missing = [key for key in keys if key not in cfg and key not in NEWER]
    yield from (f"{key}: missing; give +{key}=..." for key in missing)
    chosen = {f"{group}={cfg.get(group)}": cfg.get(group) for group in groups}
    chosen |= {f"protocol.{name}": node for name, node in (cfg.get("protocol") or {}).items()}
    for name, node in chosen.items():
        if not is_target(node):
            yield f"{name}: must be a choice of the group, with its _target_"
    for name, node in cfg.items():
        if isinstance(keys.get(name), dict) and isinstance(node, dict) and not is_target(node):
            yield from _unknown(f"{name}.", node, keys[name] or node)  # an empty one takes any key
    for name, stage in _stages(cfg).items():
        if not isinstance(stage, Mapping):
            yield f"stages.{name}: must hold {', '.join(sorted(_STAGE))}"
            continue
        yield from _unknown(f"stages.{name}.", stage, _STAGE)
        yield from (f"stages.{name}.{key}: missing" for key in sorted(_STAGE - stage.keys()))


def _unknown(prefix: str, node: Iterable[str], names: Collection[str]) -> Iterator[str]:
    unknown = (key for key in node if key not in names)
    yield from (f"{prefix}{key}: no such key{nearest(key, names)}" for key in unknown)


def _conflicts(cfg: Mapping[str, Any], nodes: Mapping[str, Any]) -> Iterator[str]:
    """Values that cannot go together."""
    if cfg.get("int8") and cfg.get("format") != "onnx":
        yield f"int8={as_typed(cfg['int8'])}: only ONNX files are quantised; set format=onnx"
    if cfg.get("init_from_partial") and cfg.get("init_from") is None:
        yield "init_from_partial: nothing to start from; give init_from=..., or remove the key"
    several = len(nodes.get("dataset.classes") or "1") > 1 and not nodes.get("dataset.overlap")
    if several and cfg.get("threshold", 0.5) != 0.5:
        yield "threshold: of several classes the likeliest is taken; remove the key"
    if nodes.get("dataset.split.file") is not None and nodes.get("dataset.split.fold") is not None:
        yield "dataset.split.fold: the split is that of dataset.split.file; remove one of both"
    if is_target(cfg.get("dataset")) and cfg.get("split") not in (None, "test"):
        yield f"split={cfg['split']}: all cases of dataset=NAME are scored; remove one of both"


def _training_conflicts(cfg: Mapping[str, Any], nodes: Mapping[str, Any]) -> Iterator[str]:
    if cfg.get("early_stopping") is not None and cfg.get("stages"):
        yield "early_stopping: it ends the whole run, stages included; use one of both"
    if nodes.get("model.frozen_stages") and nodes.get("model.weights", "") is None:
        yield "model.frozen_stages: random weights would stay random; set model.weights=imagenet"
    if nodes.get("trainer.gradient_clip_algorithm") and not nodes.get("trainer.gradient_clip_val"):
        yield "trainer.gradient_clip_algorithm: nothing is clipped; set trainer.gradient_clip_val"
    if nodes.get("ema.decay") and nodes.get("trainer.precision") == "bf16-true":
        yield "ema: bf16-true rounds the small updates away; set trainer.precision=bf16-mixed"
    length, epochs = cfg.get("schedule_epochs"), nodes.get("trainer.max_epochs")
    if length is not None and cfg.get("stages"):
        yield "schedule_epochs: with stages, each has a schedule of its own length"
    elif count(1).allows(length) and count(1).allows(epochs) and length > epochs:
        yield f"schedule_epochs={length}: must not be above trainer.max_epochs={epochs}"


def _patch_conflicts(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Sizes that cannot go together, of images, patches and the network's halvings."""
    dataset = cfg["dataset"]
    sizes = [dataset.get(key) for key in ("image_size", "patch_size")]
    if sizes == [None, None]:
        yield "dataset.image_size=null: needs patches of one size, such as dataset.patch_size=256"
    image, patch = (size if isinstance(size, list) else [size, size] for size in sizes)
    if None in patch or not all(map(count(1).allows, patch)):
        return
    typed = f"dataset.patch_size={as_typed(sizes[1])}"
    if all(map(count(1).allows, image)) and any(p > i for p, i in zip(patch, image, strict=True)):
        yield f"{typed}: must not be larger than dataset.image_size={as_typed(sizes[0])}"
    depth = (cfg.get("model") or {}).get("depth")
    if not count(1).allows(depth) or depth > 10:
        return
    least = 2**depth
    if any(side % least for side in patch):
        near = [max(least, round(side / least) * least) for side in patch]
        near = near[0] if near[0] == near[1] else as_typed(near)
        yield (
            f"{typed}: must be a multiple of {least}, which model.depth={depth} halves {depth} "
            f"times; such as dataset.patch_size={str(near).replace(' ', '')}"
        )


def _dataset(dataset: Mapping[str, Any]) -> Iterator[str]:
    missing = {f"dataset.{key}" for key in LOADING - dataset.keys()} - NEWER
    yield from (f"{key}: missing" for key in sorted(missing))
    if dataset.get("sampling") == "uniform" and dataset.get("sampling_foreground") != 0.5:
        yield "dataset.sampling_foreground: no effect; set dataset.sampling=foreground as well"
    classes, split = dataset.get("classes"), dataset.get("split")
    if isinstance(classes, Mapping) and classes:
        background = [name for name, value in classes.items() if value in (0, [0])]
        for name in background:
            yield f"dataset.classes.{name}: background is value 0 and not listed"
    elif classes is not None and not isinstance(classes, list):  # a list of names: some sources
        yield f"dataset.classes={classes}: must be null, or name: mask value"
    if not isinstance(split, Mapping):
        yield f"dataset.split: must hold {', '.join(sorted(_SPLIT))}"
        return
    yield from _unknown("dataset.split.", split, _SPLIT)
    missing = sorted(_SPLIT - split.keys())
    yield from (f"dataset.split.{key}: missing" for key in missing)
    if not missing and all(number("").allows(split[key]) for key in ("val", "test")):
        try:
            check_sizes(**{key: split[key] for key in ("val", "test", "folds", "fold")})
        except (TypeError, ValueError) as error:
            yield str(error)
    files = split.get("file")
    if files is not None and not isinstance(files, str | Mapping):
        yield f"dataset.split.file={files}: must be a file, a folder or split: FILE"
        return
    for file in files.values() if isinstance(files, Mapping) else filter(None, [files]):
        if not Path(str(file)).expanduser().exists():
            yield f"dataset.split.file={shown(file)}: no such file"
