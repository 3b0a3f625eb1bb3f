"""How far the outlines of two masks are apart: HD95, ASSD and surface Dice (NSD).

The surface of a mask is its pixels with one of their four neighbours outside the mask; what lies
beyond the image is outside. The distance of a surface pixel runs from its centre to that of the
nearest surface pixel of the other mask. MONAI's conventions (1.6):

`hd95`: the larger of the two directed 95th percentiles (interpolated between ranks), not the
percentile of both directions' distances together. `assd`: the mean over the pixels of both surfaces
together. `nsd`: the share of the pixels of both surfaces that are within the tolerance; Nikolov et
al. 2018, arXiv:1809.04430, who weigh each pixel by the length of outline in it, where this counts
pixels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def surface(
    reference: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    *,
    spacing: tuple[float, float] = (1.0, 1.0),
    tolerance: float = 2.0,
) -> dict[str, float]:
    """`hd95` and `assd` in the unit of `spacing`, `nsd` from 0 to 1, of two (H, W) masks.

    Both empty: 0, 0 and 1. One of them empty: `missed`, so that a miss never improves a mean.

    Args:
        reference: (H, W); False at ignored pixels, as in `prediction`.
        prediction: (H, W).
        spacing: size of a pixel along rows and columns.
        tolerance: in the same unit; a distance equal to it is within.
    """
    _check(reference, prediction, spacing, tolerance)
    if not reference.any() and not prediction.any():
        return {"hd95": 0.0, "assd": 0.0, "nsd": 1.0}
    if not reference.any() or not prediction.any():
        return missed(reference.shape, spacing=spacing)
    # Every surface pixel lies in this box, so distances inside it are those of the whole image.
    (box,) = ndimage.find_objects((reference | prediction).astype(np.int8))
    true, called = _outline(reference[box]), _outline(prediction[box])
    to_true = ndimage.distance_transform_edt(~true, sampling=spacing)[called]
    to_called = ndimage.distance_transform_edt(~called, sampling=spacing)[true]
    distances = np.concatenate([to_true, to_called])
    within = distances <= tolerance * (1 + 1e-9)  # three pixels of 0.1 are within 0.3
    return {
        "hd95": float(max(np.percentile(to_true, 95), np.percentile(to_called, 95))),
        "assd": float(distances.mean()),
        "nsd": float(within.mean()),
    }


def missed(
    shape: tuple[int, ...], *, spacing: tuple[float, float] = (1.0, 1.0)
) -> dict[str, float]:
    """The worst figures of an image of `shape` (H, W): its diagonal, twice, and 0.

    One empty mask scores this, and a prediction that failed.
    """
    diagonal = float(np.hypot(shape[0] * spacing[0], shape[1] * spacing[1]))
    return {"hd95": diagonal, "assd": diagonal, "nsd": 0.0}


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return mask & ~ndimage.binary_erosion(mask)


def _check(
    reference: NDArray, prediction: NDArray, spacing: tuple[float, float], tolerance: float
) -> None:
    if reference.shape != prediction.shape or reference.ndim != 2:
        raise ValueError(
            f"two masks of one shape (H, W) are needed, not {reference.shape} and "
            f"{prediction.shape}"
        )
    if reference.dtype != bool or prediction.dtype != bool:
        raise ValueError(
            f"masks must be boolean, not {reference.dtype} and {prediction.dtype}: decide first"
        )
    if len(spacing) != 2 or not all(np.isfinite(s) and s > 0 for s in spacing):
        raise ValueError(f"spacing {spacing} must be two positive sizes of a pixel")
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance {tolerance} must be 0 or more")
