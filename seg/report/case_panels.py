"""Pictures of the worst, the median and the best cases of an evaluation."""

from collections.abc import Sequence
from pathlib import Path

from seg.evaluation import summary
from seg.evaluation.cases import Case
from seg.evaluation.score import CaseScores
from seg.evaluation.stream import Predict
from seg.inference.model import LoadedModel
from seg.inference.segmentation import mask_of
from seg.report import panels


def draw(
    scores: CaseScores,
    model: LoadedModel,
    cases: Sequence[Case],
    predict: Predict,
    folder: Path,
    *,
    title: str,
    rows: int,
    also: Sequence[str] = (),
) -> None:
    """Draw the worst, the median and the best cases, which are predicted once more.

    Args:
        scores: of the cases.
        model: that predicted them.
        cases: in the order of the scores.
        predict: predicts cases.
        folder: for `worst.png`, `median.png` and `best.png`.
        title: the name of the set of cases.
        rows: how many cases of each kind.
        also: formats beside the PNG, as in `figures.save`.
    """
    for kind, chosen in summary.worst_median_best(scores.counts, rows).items():
        predictions = list(predict([cases[i] for i in chosen]))
        masks = [mask_of(prediction.probs, model) for prediction in predictions]
        for mask, prediction, i in zip(masks, predictions, chosen, strict=True):
            if scores.failed[i]:  # all of it counts as wrong
                mask[:] = prediction.reference == 0
        panels.draw(
            [f"{'FAILED ' * bool(scores.failed[i])}{scores.cases[i]}" for i in chosen],
            [prediction.image for prediction in predictions],
            [prediction.reference for prediction in predictions],
            masks,
            f"{title}, {kind} cases",
            folder / f"{kind}.png",
            class_names=model.classes,
            also=also,
        )
