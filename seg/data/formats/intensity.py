"""Values of any type as 0-255: 8 bits as they are, wider ones by their type or by a window."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np

from seg.data.errors import DataError, UnknownRangeError

Window = tuple[float, float] | Literal["percentile"] | None
PERCENTILES = (0.5, 99.5)


class ValueRange:
    """Extremes and percentiles of all values of a file, each computed once, at first use.

    Args:
        load: returns the stored numbers, of any shape.
        slope: a value is stored number * slope + intercept.
    """

    def __init__(
        self, load: Callable[[], np.ndarray], *, slope: float = 1, intercept: float = 0
    ) -> None:
        self._load, self._slope, self._intercept = load, slope, intercept
        self._computed: dict[str, tuple[float, float] | int] = {}
        self._of_channels: tuple[np.ndarray, np.ndarray] | None = None
        self._lock = Lock()  # several threads ask for the first slices of a volume

    def not_finite(self) -> int:
        """How many values are NaN or infinite."""
        return self._once("not finite", _not_finite)

    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest finite value."""
        return self._once("extremes", lambda a: self._values(_finite(a).min(), _finite(a).max()))

    def percentiles(self) -> tuple[float, float]:
        """The 0.5 and 99.5 percentiles; the extremes where they are equal. No NaN is allowed."""
        low, high = self._once(
            "percentiles", lambda a: self._values(*np.percentile(a, PERCENTILES).tolist())
        )
        return (low, high) if low < high else self.extremes()

    def channel_percentiles(self) -> tuple[np.ndarray, np.ndarray]:
        """(C,) each: `percentiles` of each channel, the last axis. No NaN is allowed."""
        with self._lock:
            if self._of_channels is None:
                channels = np.moveaxis(self._load(), -1, 0)
                scale = {"slope": self._slope, "intercept": self._intercept}
                every = [ValueRange(lambda a=a: a, **scale).percentiles() for a in channels]
                low, high = np.array(every).T
                self._of_channels = low, high
            return self._of_channels

    def _values(self, low: float, high: float) -> tuple[float, float]:
        ends = (float(x) * self._slope + self._intercept for x in (low, high))
        low, high = sorted(ends)  # a negative slope swaps them
        return low, high

    def _once(self, name: str, compute: Callable) -> tuple[float, float] | int:
        with self._lock:
            if name not in self._computed:
                self._computed[name] = compute(self._load())
            return self._computed[name]


def to_255(
    values: np.ndarray,
    path: Path,
    *,
    window: Window,
    value_range: ValueRange | None = None,
    file_window: tuple[float, float] | None = None,
    measured: bool = False,
    by_channel: bool = False,
) -> np.ndarray:
    """Values as uint8 or float32 in 0-255.

    uint8 stays as it is and bool becomes 0 and 255, whatever the window. For all other types:
    window (low, high): low and below is 0, high and above is 255, linear between them.
    window "percentile": low and high are the 0.5 and 99.5 percentiles of the whole file.
    window None: `file_window`, if any; else uint16 / 257; else floats, multiplied by 255 if no
    value of the file is above 1, and unchanged if all are from 0 to 255.

    Args:
        value_range: of all values of the file, if `values` is only a part of them.
        file_window: low and high that the file itself states.
        measured: the values are those of an instrument, of no known range: they need a window.
        by_channel: the percentiles are those of each channel, the last axis.

    Raises:
        DataError: values that are not finite, or that need a window; it names their extremes.
        ValueError: the window is empty.
    """
    if window is not None and window != "percentile":
        low, high = window
        if not low < high:
            raise ValueError(f"dataset.window={list(window)}: the first must be below the second")
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    if values.dtype.kind not in "iuf":
        raise DataError(path, f"image of type {values.dtype}", "save it as uint8 or uint16")
    value_range = value_range or ValueRange(lambda: values)
    of_file = window == "percentile" or file_window is None and window is None
    invalid = value_range.not_finite() if of_file else _not_finite(values)
    if invalid:
        fix = "replace them (numpy.nan_to_num) and save it again"
        raise DataError(path, f"{invalid} values are nan or infinite", fix)
    if window is None and file_window is None:
        return _by_type(values, path, value_range, measured=measured)
    if window == "percentile":
        low, high = value_range.channel_percentiles() if by_channel else value_range.percentiles()
    else:
        low, high = window or file_window
    share = (values.astype(np.float64) - low) / np.maximum(high - low, np.finfo(float).tiny)
    return (share.clip(0, 1) * 255).astype(np.float32)


def _by_type(
    values: np.ndarray, path: Path, value_range: ValueRange, *, measured: bool
) -> np.ndarray:
    if values.dtype == np.uint16 and not measured:
        return values.astype(np.float32) / 257
    low, high = value_range.extremes()
    is_float = values.dtype.kind == "f"
    if is_float and not measured and low >= 0 and high <= 255:
        return (values * 255 if high <= 1 else values).astype(np.float32)
    kind = "float image" if is_float else f"image of type {values.dtype}"
    fix = f"'dataset.window=[{low:g}, {high:g}]' (its own range) or dataset.window=percentile"
    raise UnknownRangeError(path, f"{kind} with values from {low:g} to {high:g}", fix)


def _not_finite(values: np.ndarray) -> int:
    return 0 if values.dtype.kind != "f" else int(np.count_nonzero(~np.isfinite(values)))


def _finite(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        return values
    finite = np.isfinite(values)
    return values if finite.all() else values[finite]
