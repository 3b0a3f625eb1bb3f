"""Soft Jaccard (IoU) loss. Rahman & Wang 2016, doi:10.1007/978-3-319-50835-1_22, equations 3-5."""

from collections.abc import Sequence

from seg.losses.tversky import TverskyLoss


class JaccardLoss(TverskyLoss):
    """1 - soft Jaccard index, averaged over images and foreground classes.

    The union is TP + FP + FN, which is the Tversky index with alpha = beta = 1.

    Args:
        smooth: in pixels, above 0.
        pooled: one index of the whole batch (see `DiceLoss`).
        class_weights: of the mean over classes (see `ClassWeights`); then of the background too.
    """

    def __init__(
        self,
        *,
        smooth: float = 1.0,
        pooled: bool = False,
        class_weights: Sequence[float] | str | None = None,
    ) -> None:
        super().__init__(alpha=1, beta=1, smooth=smooth, pooled=pooled, class_weights=class_weights)
