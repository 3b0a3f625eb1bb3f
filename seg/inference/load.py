"""Load models: run folders, checkpoints, weights, exported graphs, all runs of a sweep.

Code that a stranger's file names is never run: see `seg.trust`.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seg.data.preprocess import preprocessing
from seg.inference import exported
from seg.inference.model import AXIS, NO_POSTPROCESS, LoadedModel, image_statistics, threshold_of
from seg.inference.predictor import NetworkPredictor
from seg.models.normalize import Normalize
from seg.runs.folder import RunFolder
from seg.runs.weight_files import find_checkpoint, find_models, listed
from seg.training.checkpoint import PREFIX, model_weights, read
from seg.trust import TRUSTED, refuse_untrusted, targets

log = logging.getLogger(__name__)

WEIGHTS = (".pth", ".safetensors")
# The checkpoint holds the weights: an encoder's pretrained ones would be fetched in vain.
NO_DOWNLOAD = {"weights": None, "pretrained": False, "encoder_weights": None, "checkpoint_path": ""}


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Loads models.

    Every method raises FileNotFoundError, or ValueError that names the file: it is damaged, is no
    checkpoint of `seg.train`, has weights that do not fit, or names code that is not trusted.

    Args:
        build: makes the module that a configuration node describes.
        trust: prefixes of names that may be built beside `TRUSTED`; `pt2` allows .pt2 files.
        device: torch's name of it.
        precision: in Lightning's words.
    """

    build: Callable[[dict[str, Any]], nn.Module]
    trust: Sequence[str] = ()
    device: str = "cpu"
    precision: str = "32-true"

    def load(self, sources: str | Sequence[str], checkpoint: str = "best") -> list[LoadedModel]:
        """All models that `sources` name, in order; of a folder with runs below it, all finished.

        Args:
            sources: one or several run folders, folders with runs, checkpoints, weights (.pth,
                .safetensors), exported graphs (.onnx, .pt2).
            checkpoint: of run folders: `best`, `last` or a path.
        """
        paths: list[Path] = []
        for one in [sources] if isinstance(sources, str) else sources:
            found, left_out = find_models(Path(one).expanduser().absolute())
            if left_out:
                log.warning("left out, not finished: %s", listed(left_out))
            paths += found
        return [self.load_run(p, checkpoint) if p.is_dir() else self.load_file(p) for p in paths]

    def load_run(self, run: Path, checkpoint: str = "best") -> LoadedModel:
        """The model of a run folder's checkpoint: `best`, `last`, or the path of one.

        What the run's own config.yaml names may be built, but not what another file names.
        """
        path = find_checkpoint(run, checkpoint)
        own = targets(RunFolder(run).get("model")) if checkpoint in ("best", "last") else set()
        return self._model(read(path), path, [*self.trust, *sorted(own)])

    def load_file(self, path: Path) -> LoadedModel:
        """The model of a checkpoint, of weights or of an exported graph.

        A file of bare weights is completed by the best checkpoint of the run folder it lies in.
        """
        suffix = path.suffix.lower()
        if suffix in exported.SUFFIXES:
            return exported.load(path, trust="pt2" in self.trust)
        content = _read_safetensors(path) if suffix == ".safetensors" else read(path)
        if suffix in WEIGHTS and "seg" not in content:
            content = _completed(content, path)
        return self._model(content, path, self.trust)

    def _model(self, content: Mapping[str, Any], path: Path, trust: Sequence[str]) -> LoadedModel:
        """The model of a checkpoint's content."""
        try:
            about = content["seg"]
            config, classes, shape = about["config"], about["classes"], about["preprocessing"]
            node, data = config["model"], config["dataset"]
            threshold = threshold_of(about["threshold"])
            prepared = preprocessing(
                **{"image_size": shape["size"], "patch_size": shape.get("patch")},
                **{key: shape[key] for key in ("channels", "window")},
                image_suffix=tuple(shape.get("image_suffix", ())),
                overlap=shape.get("overlap", False),  # missing in older versions
                **{key: data.get(key) for key in ("classes", "ignore_value", "mask_threshold")},
            )
            normalize = Normalize(mode=shape["normalize"], mean=shape["mean"], std=shape["std"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path}: carries no configuration ({type(error).__name__}: {error}); a checkpoint "
                f"of seg.train is needed, such as {RunFolder(Path('RUN')).checkpoint('best')}"
            ) from error
        refuse_untrusted(node, where=f"{path}: model", trust=[*TRUSTED, *trust], own=trust)
        try:
            network = self.build(_without_downloads(node))
        except Exception as error:  # whatever its constructor raises
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise ValueError(f"{path}: its network cannot be built ({reason})") from error
        if not isinstance(network, nn.Module):
            raise ValueError(f"{path}: model._target_={node['_target_']} makes no network")
        _fill(network, model_weights(content), path)
        prefix, state = "normalize.", content["state_dict"].items()
        own = {k.removeprefix(prefix): v for k, v in state if k.startswith(prefix)}
        _fill(normalize, own, path)
        return LoadedModel(
            predictor=NetworkPredictor(
                model=network,
                normalize=normalize,
                size=prepared.network_size,
                overlap=prepared.overlap,
                device=self.device,
                precision=self.precision,
            ),
            classes=[str(name) for name in classes],
            preprocessing=prepared,
            threshold=threshold,
            postprocess=about.get("postprocess", NO_POSTPROCESS),
            **image_statistics(shape),
            axis=data.get("axis", AXIS),
            members=[path],
            config=config,
            symmetries=about.get("symmetries"),
        )


def digest(path: Path) -> str:
    """The sha256 of a file, as hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest_of(paths: Sequence[Path]) -> str:
    """One hash of the contents of several files, whatever their order."""
    return hashlib.sha256("".join(sorted(map(digest, paths))).encode()).hexdigest()


def _read_safetensors(path: Path) -> dict[str, Any]:
    """The tensors, and under `seg` what the file says of them; the tensors alone if nothing."""
    try:
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(f"{path}: needs safetensors; pip install 'seg-med[export]'") from error
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
            about = json.loads((file.metadata() or {}).get("seg", "null"))
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"{path}: cannot be read as safetensors ({reason})") from error
    return {"state_dict": state, "seg": about} if about else state


def _completed(weights: dict[str, Any], path: Path) -> dict[str, Any]:
    """Bare weights, and the rest of the best checkpoint of the run folder that they lie in."""
    checkpoint = RunFolder(path.parent).checkpoint("best")
    if not checkpoint.is_file():
        raise ValueError(
            f"{path}: holds weights alone; give the run folder, a checkpoint, or a file of "
            "seg.export, which say what they are for"
        )
    content = read(checkpoint)
    others = {k: v for k, v in content["state_dict"].items() if not k.startswith(PREFIX)}
    network = {f"{PREFIX}{key}": value for key, value in model_weights(weights).items()}
    return content | {"state_dict": others | network}


def _without_downloads(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {k: NO_DOWNLOAD.get(k, _without_downloads(v)) for k, v in node.items()}
    return [_without_downloads(v) for v in node] if isinstance(node, list | tuple) else node


def _fill(module: nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Load weights into a module; raises ValueError naming those that do not fit."""
    own = module.state_dict()
    problems = [f"{key} is missing" for key in own if key not in state]
    problems += [f"{key} is not of this network" for key in state if key not in own]
    problems += [
        f"{key} is {tuple(value.shape)}, not {tuple(own[key].shape)}"
        for key, value in state.items()
        if key in own and value.shape != own[key].shape
    ]
    if problems:
        raise ValueError(
            f"{path}: its weights are not those of its network: {listed(problems, 3, '; ')}"
        )
    module.load_state_dict(dict(state))
