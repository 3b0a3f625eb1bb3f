"""Whether a plan trains on patches: where whole images would lose what is thin in them."""

import math
from dataclasses import dataclass

PATCH = 256  # pixels of its side
LARGE = 2 * PATCH  # side from which an image is worth cutting up
FINEST = 2.5  # pixels that the median structure must keep in width
EPOCHS = 30  # that must fit into the time, with fewer patches of each image if need be


@dataclass(frozen=True)
class PatchPlan:
    """Patches of PATCH x PATCH.

    Args:
        per_image: in each epoch.
        why: the reason, in words.
    """

    per_image: int
    why: str


def plan_patches(
    size: tuple[float, float], structure: float | None, *, affordable: float
) -> PatchPlan | None:
    """Patches at the images' own resolution; None where whole images will do.

    Args:
        size: the images' median height and width.
        structure: median width in pixels of the thinnest class.
        affordable: patches that can be trained on in the time, of each image.
    """
    side = math.sqrt(size[0] * size[1])
    if structure is None or side < LARGE or structure * PATCH / side >= FINEST:
        return None
    covering = math.ceil(side**2 / PATCH**2)
    per_image = max(1, min(covering, int(affordable / EPOCHS)))
    why = (
        f"structures are {structure:.1f} pixels wide, and would be {structure * PATCH / side:.1f} "
        f"in an image shrunk to {PATCH}"
    )
    return PatchPlan(per_image, why)
