"""ONNX files whose convolutions have 8-bit integer weights."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from numpy.typing import NDArray

from seg.exporting.pt2 import quiet

METHODS = ("dynamic", "static")
ROOT = ""  # onnxruntime logs on the root logger, advice that the export has followed already


def dynamic(source: Path, target: Path) -> None:
    """Quantise with ranges that are measured whenever the file runs.

    Transposed convolutions stay as they are: onnxruntime has no such kernel.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - an extra

    with quiet(ROOT):
        quantize_dynamic(
            source, target, op_types_to_quantize=["Conv"], weight_type=QuantType.QUInt8
        )


def static(source: Path, target: Path, images: Sequence[NDArray]) -> None:
    """Quantise with the fixed ranges that `images` (H, W, C) uint8 have."""
    from onnxruntime.quantization import (  # noqa: PLC0415 - an extra
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.images: Iterator[NDArray] = iter(images)

        def get_next(self) -> dict[str, NDArray] | None:
            image = next(self.images, None)
            return None if image is None else {"image": image[None]}

    with quiet(ROOT):
        quantize_static(
            source,
            target,
            Images(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "ConvTranspose"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
