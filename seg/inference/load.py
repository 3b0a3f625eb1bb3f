"""A checkpoint to a network that can be asked, without running what a stranger's file names."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seg.data.preprocess import Preprocessing, preprocessing
from seg.inference.postprocess import NOTHING, Postprocess
from seg.inference.trust import TRUSTED, refuse_untrusted
from seg.models.normalize import Normalize
from seg.training.checkpoint import PREFIX, model_weights, read

# The checkpoint holds the weights: an encoder's own would be fetched in vain.
FETCHED = {"pretrained": False, "encoder_weights": None, "checkpoint_path": ""}


@dataclass(frozen=True)
class LoadedNetwork:
    """A trained network in eval mode, and what a prediction with it needs to know.

    classes: names of the foreground classes, index 1 first. threshold: on the probability of a
    single class. config: of the training, plain containers. mean, std: of the training images by
    channel, in 0-255.
    """

    model: nn.Module
    normalize: nn.Module
    classes: list[str]
    preprocessing: Preprocessing
    threshold: float
    postprocess: Postprocess
    config: dict[str, Any]
    mean: list[float]
    std: list[float]
    path: Path


def find(run: Path, which: str) -> Path:
    """The checkpoint file: `best` or `last` of a run folder, or a path of its own.

    Raises FileNotFoundError; other weights than those asked for are never taken instead.
    """
    if which not in ("best", "last"):
        path = Path(which).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"checkpoint={which}: no such file")
        return path
    folder = run / "checkpoints"
    if not folder.is_dir():
        raise FileNotFoundError(f"run={run}: no run folder, it has no checkpoints/")
    path = folder / f"{which}.ckpt"
    if not path.is_file():
        others = ", ".join(sorted(p.name for p in folder.glob("*.ckpt"))) or "nothing"
        raise FileNotFoundError(
            f"{path}: no such checkpoint, the folder holds {others}; name one with checkpoint=..."
        )
    return path


def load(
    path: Path,
    *,
    build: Callable[[dict[str, Any]], nn.Module],
    trust: Sequence[str] = (),
) -> LoadedNetwork:
    """The network of a checkpoint, with its weights.

    build: makes the module of a configuration node. trust: prefixes of dotted names that may be
    instantiated beside TRUSTED.

    Raises FileNotFoundError, or ValueError naming the file: damaged, no checkpoint of `seg.train`,
    weights that do not fit, or code that is not trusted, none of which has been run by then.
    """
    return made(read(path), path, build=build, trust=trust)


def load_weights(
    path: Path, *, build: Callable[[dict[str, Any]], nn.Module], trust: Sequence[str] = ()
) -> LoadedNetwork:
    """The network of a .pth or .safetensors file of weights: with what the file carries beside
    them, or else with what the best checkpoint of the run folder that it lies in says of them.

    Raises as `load`.
    """
    content = _tensors(path) if path.suffix.lower() == ".safetensors" else read(path)
    if "seg" not in content:
        beside = path.parent / "checkpoints" / "best.ckpt"
        if not beside.is_file():
            raise ValueError(
                f"{path}: holds weights alone; give the run folder, a checkpoint, or a file of "
                "seg.export, which say what they are for"
            )
        whole, weights = read(beside), model_weights(content)
        others = {k: v for k, v in whole["state_dict"].items() if not k.startswith(PREFIX)}
        renamed = {f"{PREFIX}{key}": value for key, value in weights.items()}
        content = whole | {"state_dict": others | renamed}
    return made(content, path, build=build, trust=trust)


def digest(path: Path) -> str:
    """sha256 of a file, as hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _tensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(f"{path}: needs safetensors; pip install 'seg-med[export]'") from error
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
            carried = json.loads((file.metadata() or {}).get("seg", "null"))
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"{path}: cannot be read as safetensors ({reason})") from error
    return {"state_dict": state, "seg": carried} if carried else state


def made(
    content: Mapping[str, Any],
    path: Path,
    *,
    build: Callable[[dict[str, Any]], nn.Module],
    trust: Sequence[str] = (),
) -> LoadedNetwork:
    """The network of a checkpoint's content; path: where it was read, for messages. As `load`."""
    try:
        carried = content["seg"]
        config, classes, shape = carried["config"], carried["classes"], carried["preprocessing"]
        node, threshold, data = config["model"], float(carried["threshold"]), config["dataset"]
        how = preprocessing(
            image_size=list(shape["size"]),
            channels=shape["channels"],
            window=shape["window"],
            classes=data.get("classes"),
            ignore_value=data.get("ignore_value"),
        )
        mean, std = list(shape["mean"]), list(shape["std"])
        normalize = Normalize(mode=shape["normalize"], mean=mean, std=std)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: carries no configuration ({type(error).__name__}: {error}); a checkpoint "
            "of seg.train is needed, such as RUN/checkpoints/best.ckpt"
        ) from error
    refuse_untrusted(node, where=f"{path}: model", trust=[*TRUSTED, *trust], own=trust)
    try:
        model = build(_without_fetching(node))
    except Exception as error:  # whatever its constructor raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise ValueError(f"{path}: its network cannot be built ({reason})") from error
    if not isinstance(model, nn.Module):
        raise ValueError(f"{path}: model._target_={node['_target_']} makes no network")
    _fill(model, model_weights(content), path)
    _fill(normalize, _part(content["state_dict"], "normalize."), path)
    return LoadedNetwork(
        model=model.eval(),
        normalize=normalize.eval(),
        classes=[str(name) for name in classes],
        preprocessing=how,
        threshold=threshold,
        postprocess=carried.get("postprocess", NOTHING),
        config=config,
        mean=mean,
        std=std,
        path=path,
    )


def _without_fetching(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {k: FETCHED[k] if k in FETCHED else _without_fetching(v) for k, v in node.items()}
    return [_without_fetching(v) for v in node] if isinstance(node, list | tuple) else node


def _part(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _fill(module: nn.Module, given: Mapping[str, torch.Tensor], path: Path) -> None:
    own = module.state_dict()
    problems = [f"{key} is missing" for key in own if key not in given]
    problems += [f"{key} is not of this network" for key in given if key not in own]
    problems += [
        f"{key} is {tuple(value.shape)}, not {tuple(own[key].shape)}"
        for key, value in given.items()
        if key in own and value.shape != own[key].shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(
            f"{path}: its weights are not those of its network: {'; '.join(problems[:3])}{more}"
        )
    module.load_state_dict(dict(given))
