"""A run, a checkpoint, an exported file, or several of them, to one model that can be asked."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from seg.inference import load
from seg.inference.ensemble import Ensemble
from seg.inference.grey import AsGrey
from seg.inference.model import LoadedModel, Predictor
from seg.inference.predictor import NetworkPredictor
from seg.inference.trust import targets
from seg.runs import resume

log = logging.getLogger(__name__)

Build = Callable[[dict[str, Any]], nn.Module]
EXPORTED = (".onnx", ".pt2")
WEIGHTS = (".pth", ".safetensors")
AXIS = 2  # of volumes, where the model does not say


@dataclass(frozen=True)
class LoadedEnsemble:
    """A model, and what tells of its members. axis: of volumes, the one that they were cut along in
    training. digest: of all files that predictions depend on.
    """

    model: LoadedModel
    members: list[Path]
    axis: int
    digest: str


def open_network(
    run: Path, checkpoint: str, *, build: Build, trust: Sequence[str] = ()
) -> load.LoadedNetwork:
    """The network of a run folder's checkpoint: `best`, `last`, or the path of one.

    The run's own config.yaml vouches for what it names itself. Raises as `loading.load`.
    """
    path = load.find(run, checkpoint)
    trust = list(trust)
    if checkpoint in ("best", "last") and (run / "config.yaml").is_file():
        trust += sorted(targets(resume.stored(run).get("model")))
    return load.load(path, build=build, trust=trust)


def open_model(
    source: str | Sequence[str],
    *,
    build: Build,
    checkpoint: str = "best",
    trust: Sequence[str] = (),
    device: str = "cpu",
    precision: str = "32-true",
    around: Callable[[LoadedModel], Predictor] = lambda model: model.asks,
) -> LoadedEnsemble:
    """One model of everything that `source` names; of several, their mean (`join`).

    source: a run folder, a folder with runs below it (all finished ones), a checkpoint, exported
    weights (.pth, .safetensors), an exported graph (.onnx, .pt2), or a list of these. around: puts
    tiles and views around each member's network.

    Raises FileNotFoundError or ValueError, naming the file.
    """
    places = [
        place
        for one in ([source] if isinstance(source, str) else source)
        for place in _places(Path(one).expanduser().absolute())
    ]
    models, axes, digests = [], [], []
    for place in places:
        model, axis = _open(
            place, build=build, checkpoint=checkpoint, trust=trust, device=device,
            precision=precision,
        )  # fmt: skip
        models.append(LoadedModel(**{**vars(model), "asks": around(model)}))
        axes.append(axis)
        digests.append(load.digest(model.path))
    if len(set(axes)) > 1:
        raise ValueError(f"run={_list(places)}: were cut along different axes, {axes}; give axis=")
    digest = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
    return LoadedEnsemble(join(models), [model.path for model in models], axes[0], digest)


def join(models: Sequence[LoadedModel]) -> LoadedModel:
    """The mean of the models' probabilities, each with its own size and normalisation.

    The threshold is the mean of theirs; the clean-up what all of them carry. Raises ValueError
    where they do not know the same classes in the same order, or read files differently.
    """
    first, *others = models
    if not others:
        return first
    for other in others:
        for what, a, b in (
            ("knows the classes", first.classes, other.classes),
            ("was trained with the window", first.preprocessing.window, other.preprocessing.window),
        ):
            if a != b:
                raise ValueError(
                    f"{other.path}: {what} {_said(b)}, {first.path} {_said(a)}: no ensemble"
                )
    channels = max(model.preprocessing.channels for model in models)
    asks = [
        AsGrey(model.asks) if model.preprocessing.channels < channels else model.asks
        for model in models
    ]
    steps = {
        step: [name for name in names if all(name in m.postprocess[step] for m in models)]
        for step, names in first.postprocess.items()
    }
    widest = next(model for model in models if model.preprocessing.channels == channels)
    return LoadedModel(
        asks=Ensemble(asks),
        classes=first.classes,
        preprocessing=widest.preprocessing,
        threshold=sum(model.threshold for model in models) / len(models),
        postprocess=steps,
        mean=widest.mean,
        std=widest.std,
        path=first.path,
    )


def _places(path: Path) -> list[Path]:
    """The path itself, or, of a sweep's folder, its finished runs."""
    if not path.exists():
        raise FileNotFoundError(f"run={path}: no such file or folder")
    if path.is_file() or (path / "checkpoints").is_dir() or (path / "config.yaml").is_file():
        return [path]
    # a study's own run.json or config may lie above its runs: what has checkpoints is a run
    runs = sorted(p.parent for p in path.rglob("checkpoints") if p.is_dir())
    if not runs:
        raise FileNotFoundError(
            f"run={path}: no run folder, and none below it (a run has checkpoints/)"
        )
    states = {run: _status(run) for run in runs}
    finished = [run for run, state in states.items() if state == "finished"]
    left = [f"{run.relative_to(path)} ({states[run]})" for run in runs if run not in finished]
    if not finished:
        raise ValueError(f"run={path}: no run below it is finished: {_list(left)}")
    if left:
        log.warning("left out, not finished: %s", _list(left))
    return finished


def _status(run: Path) -> str:
    try:
        return resume.status(run)
    except (OSError, ValueError, KeyError):
        return "no run.json that says how it ended"


def _open(
    place: Path,
    *,
    build: Build,
    checkpoint: str,
    trust: Sequence[str],
    device: str,
    precision: str,
) -> tuple[LoadedModel, int]:
    if place.suffix.lower() in EXPORTED and place.is_file():
        from seg.inference import exported  # noqa: PLC0415 - its readers are an extra

        return exported.load(place, trust="pt2" in trust), AXIS
    if place.is_dir():
        network = open_network(place, checkpoint, build=build, trust=trust)
    elif place.suffix.lower() in WEIGHTS:
        network = load.load_weights(place, build=build, trust=trust)
    else:
        network = load.load(place, build=build, trust=trust)
    predictor = NetworkPredictor(
        model=network.model,
        normalize=network.normalize,
        size=network.preprocessing.size,
        device=device,
        precision=precision,
    )
    model = LoadedModel(
        asks=predictor,
        classes=network.classes,
        preprocessing=network.preprocessing,
        threshold=network.threshold,
        postprocess=network.postprocess,
        mean=network.mean,
        std=network.std,
        path=network.path,
    )
    return model, (network.config.get("dataset") or {}).get("axis", AXIS)


def _said(value: Any) -> str:
    return json.dumps(value)


def _list(items: Iterable[Any], most: int = 5) -> str:
    every = [str(item) for item in items]
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
