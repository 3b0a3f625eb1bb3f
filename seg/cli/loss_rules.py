"""What the losses of a configuration may hold: their values, their terms, and their data."""

from collections.abc import Iterator, Mapping
from typing import Any

from seg.cli.rule import (
    Rule,
    as_typed,
    count,
    number,
    one_of,
    or_list,
    or_null,
    positive,
)
from seg.cli.signatures import is_target

OURS = "seg.losses."
CROSS_ENTROPY = "seg.losses.ce.CELoss"
FROM_0 = number("a number from 0", lambda value: value >= 0)
WEIGHTS = Rule(
    lambda v: (
        one_of(None, "auto").allows(v)
        or isinstance(v, list)
        and or_list(FROM_0).allows(v)
        and sum(v) > 0
    ),
    "null, auto, or a list of numbers from 0",
)
RULES = {  # of our own losses, by their keys
    "smooth": positive("a number of pixels above 0"),
    "pooled": one_of(True, False),
    "pos_weight": or_list(positive()),
    "class_weights": WEIGHTS,
    "weight": or_null(Rule(lambda v: v != "auto" and WEIGHTS.allows(v), "a list of numbers")),
    "alpha": FROM_0,
    "beta": FROM_0,
    "gamma": FROM_0,
    "share": number("a share above 0, up to 1", lambda value: 0 < value <= 1),
    "iterations": count(1),
}


def losses(cfg: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every loss of a run, its stages and their terms, by its dotted path."""
    stages = cfg.get("stages")
    nodes = {"loss": cfg.get("loss")}
    if isinstance(stages, Mapping):
        nodes |= {
            f"stages.{name}.loss": stage.get("loss")
            for name, stage in stages.items()
            if isinstance(stage, Mapping)
        }
    for path, node in nodes.items():
        yield from _below(path, node)


def _below(path: str, node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if is_target(node):
        yield path, node
    inner = node.items() if isinstance(node, Mapping) else ()
    inner = enumerate(node) if isinstance(node, list) else inner
    for key, value in inner:
        yield from _below(f"{path}.{key}", value)


def is_term(path: str) -> bool:
    """Whether a loss is a member of a sum, which has a `scale` beside its own keys."""
    return path.split(".")[-2:-1] == ["terms"]


def rules(cfg: Mapping[str, Any]) -> dict[str, Rule]:
    """By dotted path."""
    found: dict[str, Rule] = {}
    for path, node in losses(cfg):
        if str(node["_target_"]).startswith(OURS):
            found |= {f"{path}.{key}": rule for key, rule in RULES.items() if key in node}
        if is_term(path):
            found[f"{path}.scale"] = FROM_0
    return found


def problems(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Losses, or numbers of weights, that do not fit the classes, and terms that are no losses."""
    dataset = cfg.get("dataset")
    dataset = dataset if isinstance(dataset, Mapping) else {}
    classes = dataset.get("classes")
    names = list(classes) if isinstance(classes, Mapping | list) else ["foreground"]
    overlap = dataset.get("overlap") is True
    names = names if overlap else ["background", *names]
    for path, node in losses(cfg):
        if overlap and len(names) > 1 and node["_target_"] == CROSS_ENTROPY:
            yield (
                f"{path}: cross-entropy is of classes of which each pixel has one; with "
                "dataset.overlap=true take loss=bce or loss=bce_dice"
            )
        for key in ("class_weights", "weight"):
            weights = node.get(key)
            is_ours = str(node["_target_"]).startswith(OURS)
            if is_ours and isinstance(weights, list) and len(weights) != len(names):
                yield (
                    f"{path}.{key}={as_typed(weights)}: needs {len(names)} numbers, for "
                    f"{', '.join(map(str, names))}"
                )
        terms = node.get("terms")
        for name, term in terms.items() if isinstance(terms, Mapping) else ():
            if not is_target(term):
                yield f"{path}.terms.{name}: is no loss; to remove it, write ~{path}.terms.{name}"
