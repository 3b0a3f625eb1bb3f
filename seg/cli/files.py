"""Whether a command can read its files and write its results: asked before its imports."""

import shlex
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from seg.cli.compose import plain
from seg.cli.flags import flags
from seg.cli.make import make
from seg.cli.signatures import is_target
from seg.cli.targets import DOWNLOAD, LOADING
from seg.data.errors import shown
from seg.data.sources import Source
from seg.inference.files import inputs
from seg.runs.atomic import require_writable
from seg.runs.weight_files import find_checkpoint, find_models


def require_files(cfg: DictConfig, command: str) -> None:
    """Refuse what a command would refuse later, after the seconds of its imports.

    Raises:
        FileNotFoundError, ValueError: as the command itself: there are no data, no images, no run.
        OSError: a folder may not be entered, or the results cannot be written.
    """
    content = plain(cfg)
    _require_output(content, command)
    if command == "predict":
        inputs.find(content["input"], recursive=cfg.recursive, root=cfg.root)
        for run in [content["run"]] if isinstance(content["run"], str) else content["run"]:
            for path in find_models(Path(run).expanduser().absolute())[0]:
                if path.is_dir():
                    find_checkpoint(path, cfg.checkpoint)
    elif command in ("evaluate", "export") and content["run"] is not None:
        find_checkpoint(Path(cfg.run).expanduser().absolute(), cfg.checkpoint)
    is_read = command == "evaluate" or (command == "train" and cfg.resume is None)  # or finished
    root = content["dataset"].get("root") if is_read and is_target(content["dataset"]) else None
    if root is not None and not _has_files(Path(str(root)).expanduser()):
        source = build_source(cfg)
        require_data(cfg.dataset, source)
        if not getattr(source, "makes_files", False):
            source.pairs()  # says what it has looked for


def _require_output(content: dict[str, Any], command: str) -> None:
    """Where results go by the command line alone; a command itself asks for what it works out."""
    if command in ("train", "prepare"):
        if content.get("resume") is None and not content.get("clear_cache"):
            folder = Path(content["output_dir"]).expanduser().absolute()
            require_writable(folder / (content["name"] if command == "train" else command))
    elif output := content.get("output"):
        path = Path(output).expanduser().absolute()
        require_writable(path.parent if command == "export" else path, "output")


def _has_files(folder: Path) -> bool:
    try:
        return folder.is_dir() and any(folder.iterdir())
    except PermissionError as error:  # of the folder itself, or of one that it lies in
        raise PermissionError(f"dataset.root={shown(folder)}: {error.strerror}") from None


def source_keys(cfg: DictConfig) -> dict[str, Any]:
    """The keys of `dataset` that neither load nor download: which files, and what they mean."""
    node = plain(cfg.dataset)
    return {key: value for key, value in node.items() if key not in LOADING | DOWNLOAD}


def build_source(cfg: DictConfig) -> Source:
    """The data set."""
    return make(source_keys(cfg))


def require_data(node: DictConfig, source: Source) -> None:
    """Raises FileNotFoundError, with the ways to get the data, if they are missing."""
    if _has_files(source.root):
        return
    ways = [f"{key} {node[key]}" for key in ("url", "kaggle") if node.get(key)]
    if not ways and not node.get("by_hand"):
        return  # the source says what it has looked for
    choice = HydraConfig.get().runtime.choices.dataset if HydraConfig.initialized() else "NAME"
    lines = [f"dataset.root={shown(source.root)}: no data there"]
    command = shlex.join(["python", "-m", "seg.prepare", *flags(), f"dataset={choice}"])
    lines += [f"{command} downloads them ({way})" for way in ways]
    lines += [node.by_hand] if node.get("by_hand") else []
    raise FileNotFoundError("\n  ".join([*lines, "or set dataset.root to where they are"]))
