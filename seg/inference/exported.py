"""Exported graphs, .onnx and .pt2, as models: no network is built for them."""

import functools
import json
import threading
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg.data.preprocess import preprocessing
from seg.inference.model import LoadedModel, image_statistics, threshold_of
from seg.inference.threads import NETWORK, divided, each, threads

SUFFIXES = (".onnx", ".pt2")
KEY = "seg"
# images (N, H, W, C) uint8 to mask (N, H, W), or planes, and probabilities (N, K, H, W)
Run = Callable[[NDArray[np.uint8]], tuple[NDArray, NDArray]]


class ExportedPredictor:
    """Predicts with a graph, which resizes by itself and takes images of 8 bits alone."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return self.batch([image])[0]

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """Each image goes through the graph by itself, several at the same time."""
        if divided(len(images)):
            return each(self._probabilities, images)
        with NETWORK:
            return [self._probabilities(image) for image in images]

    def _probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return self.run(as_bytes(image)[None])[1][0]


def as_bytes(image: NDArray) -> NDArray[np.uint8]:
    """0-255 of any type, rounded to 8 bits."""
    return image if image.dtype == np.uint8 else np.rint(image).clip(0, 255).astype(np.uint8)


def load(path: Path, *, trust: bool = False) -> LoadedModel:
    """The model of a file of `seg.export`.

    Args:
        path: an .onnx or .pt2 file.
        trust: whether a .pt2 file may be opened: torch reads it with pickle and evaluates
            expressions in it, so that its maker can run any code. ONNX files hold no code.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be used, or is not trusted.
        ImportError: the extra that reads it is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix.lower() == ".pt2":
        if not trust:
            raise ValueError(
                f"{path}: refused, opening a .pt2 file can run code that it carries; if you know "
                "where it comes from, add trust=pt2, or export it as ONNX, which holds none"
            )
        run, text = run_program(path), _text_in(path)
    else:
        run, text = run_onnx(path, mask=False)
    try:
        about = json.loads(text or "")
        shape = about["preprocessing"]
        prepared = preprocessing(
            image_size=shape["size"],
            patch_size=shape.get("patch"),
            channels=shape["channels"],
            window=shape["window"],
            image_suffix=tuple(shape.get("image_suffix", ())),
            overlap=shape.get("overlap", False),  # missing in older versions
            classes=about["mask_values"],
            ignore_value=None,
        )
        return LoadedModel(
            predictor=ExportedPredictor(run),
            classes=[str(name) for name in about["classes"]],
            preprocessing=prepared,
            threshold=threshold_of(about["threshold"]),
            postprocess={k: list(v) for k, v in about["postprocess"].items()},
            **image_statistics(shape),
            members=[path],
            symmetries=about.get("symmetries"),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path}: does not say what its outputs mean ({type(error).__name__}: {error}); a file "
            "of seg.export is needed"
        ) from error


def run_onnx(path: Path, *, mask: bool = True) -> tuple[Run, str | None]:
    """What runs an ONNX file on the CPU, and what the file says of itself.

    Args:
        path: the file.
        mask: whether masks are computed; else they are empty. Their clean-up is slow in a graph,
            and `seg.predict` does it by itself.
    """
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(f"{path}: needs onnxruntime; pip install 'seg-med[export]'") from error

    @functools.cache
    def session_of(threads: int) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    try:
        graph = str(path) if mask else _without_mask(path)
        session = session_of(threads())
    except Exception as error:  # its own kinds, which have no common name
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"{path}: cannot be read as an ONNX file ({reason})") from error
    names = {output.name for output in session.get_outputs()}
    if "probabilities" not in names or [i.name for i in session.get_inputs()] != ["image"]:
        raise ValueError(f"{path}: has not the input and outputs of a file of seg.export")
    loading = threading.Lock()
    facts = session.get_modelmeta().custom_metadata_map.get(KEY)

    def run(images: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
        with loading:  # a session has its number of threads for good
            session = session_of(threads())
        if mask:
            return tuple(session.run(["mask", "probabilities"], {"image": images}))
        return np.zeros(0, dtype=np.uint8), session.run(["probabilities"], {"image": images})[0]

    return run, facts


def run_program(path: Path) -> Run:
    """What runs a .pt2 file; opening it can run code of its maker."""
    import torch  # noqa: PLC0415 - ONNX files do without

    try:
        module = torch.export.load(path).module()
    except Exception as error:  # torch raises half a dozen types
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ValueError(f"{path}: cannot be read as a .pt2 file ({reason})") from error

    def run(images: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
        with torch.no_grad():
            mask, probs = module(torch.from_numpy(np.ascontiguousarray(images)))
        return mask.numpy(), probs.numpy()

    return run


def _text_in(path: Path) -> str | None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(f"/extra/{KEY}"):
                return archive.read(name).decode()
    return None


def _without_mask(path: Path) -> str | bytes:
    """The file without the nodes that only the mask needs; onnxruntime would run them all."""
    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError:
        return str(path)
    model = onnx.load(path)
    needed, nodes = {"probabilities"}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(_inputs(node))
            nodes.append(node)
    outputs = [output for output in model.graph.output if output.name == "probabilities"]
    for field, values in (("node", nodes[::-1]), ("output", outputs)):
        copies = [type(v).FromString(v.SerializeToString()) for v in values]
        del getattr(model.graph, field)[:]  # this frees `values`, hence the copies
        getattr(model.graph, field).extend(copies)
    return model.SerializeToString()


def _inputs(node: Any) -> Iterable[str]:
    """Names that a node reads, those in its branches and loops included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _inputs(inner)
