"""An ONNX file with whole numbers of 8 bits in place of its convolutions' weights."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from numpy.typing import NDArray

WAYS = ("dynamic", "static")


def dynamic(source: Path, target: Path) -> None:
    """The range of what goes into a convolution is measured each time it runs.

    Transposed convolutions stay as they are: onnxruntime has no such kernel.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - an extra

    with _quiet():
        quantize_dynamic(
            source, target, op_types_to_quantize=["Conv"], weight_type=QuantType.QUInt8
        )


def static(source: Path, target: Path, images: Sequence[NDArray]) -> None:
    """The ranges are those that `images` (H, W, C) show, once and for all."""
    from onnxruntime.quantization import (  # noqa: PLC0415 - an extra
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.left: Iterator[NDArray] = iter(images)

        def get_next(self) -> dict[str, NDArray] | None:
            image = next(self.left, None)
            return None if image is None else {"image": image[None]}

    with _quiet():
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


class _quiet:
    """onnxruntime advises on the root logger, of what export has done already."""

    def __enter__(self) -> None:
        self.level = logging.getLogger().level
        logging.getLogger().setLevel(logging.ERROR)

    def __exit__(self, *error: object) -> None:
        logging.getLogger().setLevel(self.level)
