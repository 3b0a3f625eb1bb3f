"""How Dice falls when images are degraded: every case predicted again under each corruption.

After Hendrycks and Dietterich 2019, arXiv:1903.12261: the mean over the strengths of a corruption,
then over the corruptions. Their error is divided by that of a reference network, since those
corruptions are not equally hard; here Dice is compared with the network's own on clean images.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from seg.evaluation.bootstrap import bootstrap
from seg.evaluation.cases import Case
from seg.evaluation.corruptions import UNITS, amount_for, corrupt
from seg.evaluation.entries import Json, with_intervals
from seg.evaluation.score import CaseScores
from seg.evaluation.stream import Predict, PredictedCase
from seg.inference.files.lookahead import map_ahead
from seg.inference.model import LoadedModel
from seg.inference.segmentation import mask_of
from seg.metrics import calibration
from seg.metrics.cases import confusion
from seg.metrics.overlap import dice, existing_in
from seg.runs import atomic
from seg.runs.case_table import COUNTS, TEXT

log = logging.getLogger(__name__)

METRIC = "mean_corruption_dice"


class Robustness:
    """Corruptions and their strengths: the amount of strength 1, 2, ... of each, in the unit that
    `corruptions.UNITS` says. An empty list leaves a corruption out.
    """

    def __init__(
        self,
        *,
        blur: Sequence[float],
        noise: Sequence[float],
        jpeg: Sequence[float],
        brightness: Sequence[float],
        scale: Sequence[float],
        rotation: Sequence[float],
    ) -> None:
        every = dict(zip(UNITS, (blur, noise, jpeg, brightness, scale, rotation), strict=True))
        self.amounts = {name: list(amounts) for name, amounts in every.items() if amounts}
        if not self.amounts:
            raise ValueError("protocol.robustness: give the strengths of one corruption at least")

    def measure(
        self, predict: Predict, cases: Sequence[Case], model: LoadedModel, clean: CaseScores
    ) -> "CorruptedScores":
        """Predict every case under every corruption and strength.

        Args:
            predict: of the cases.
            cases: M cases.
            model: its threshold and postprocessing make the masks.
            clean: the same cases as they are.
        """
        settings = [(name, amount) for name, listed in self.amounts.items() for amount in listed]
        changed = [
            replace(
                case,
                change=partial(corrupt, corruption=name, amount=amount, case=case.pair.case),
            )
            for case in cases
            for name, amount in settings
        ]
        log.info("robustness: %d cases, each predicted %d times", len(cases), len(settings))
        rows = list(map_ahead(partial(_counts, model=model), predict(changed), count=4))
        counts = np.stack(rows).reshape(len(cases), len(settings), -1, 4)
        return CorruptedScores(self.amounts, clean, counts)


def _counts(prediction: PredictedCase, model: LoadedModel) -> NDArray[np.int64]:
    """(C, 4) tp, fp, fn, tn in pixels; all of a prediction that failed counts as wrong."""
    masks = mask_of(prediction.probs, model), prediction.reference
    pair = (torch.tensor(mask)[None] for mask in masks)
    counts = confusion(*pair, classes=len(model.classes))[0].numpy()
    if calibration.failed(prediction.probs):
        tp, fp, fn, tn = counts.T
        counts = np.stack([0 * tp, fp + tn, fn + tp, 0 * tn], axis=1)
    return counts


@dataclass(frozen=True)
class CorruptedScores:
    """The pixel counts of M cases and C classes under S settings (a corruption at a strength).

    Args:
        amounts: of each corruption by strength, S in all.
        clean: the cases as they are.
        counts: (M, S, C, 4) tp, fp, fn, tn in pixels, settings in the order of `amounts`.
    """

    amounts: dict[str, list[float]]
    clean: CaseScores
    counts: NDArray[np.int64]

    @property
    def scores(self) -> CaseScores:
        """The clean cases, with the mean corruption Dice as one more figure."""
        by_setting = np.moveaxis(self._dice(self.counts), 1, -1)  # (M, C, S)
        return replace(self.clean, more={**self.clean.more, METRIC: self._mean(by_setting)})

    def summary(self) -> Json:
        """`clean`, `mean_corruption_dice` and its `ratio_to_clean` (0 where clean is 0), and for
        each of `corruptions` its unit, amounts, Dice by strength and their mean; all Dice over the
        classes that the masks have, with intervals.
        """
        exists = existing_in(self.clean.counts)
        both = np.concatenate([self.clean.counts[:, None], self.counts], axis=1)
        table = self._dice(both)[..., exists].mean(-1)  # (M, 1 + S)

        def figures(rows: NDArray, groups: Sequence[str]) -> dict[str, float]:
            clean, *corrupted = rows.mean(0).tolist()
            mean = float(self._mean(np.array(corrupted)))
            named = {"clean": clean, METRIC: mean, "ratio_to_clean": mean / clean if clean else 0.0}
            for name, values in self._split(corrupted).items():
                named |= {f"{name} {i}": value for i, value in enumerate(values, 1)}
                named[f"{name} mean"] = float(np.mean(values))
            return named

        values = figures(table, self.clean.groups)
        bounds = bootstrap(table, self.clean.groups, figures)
        known = with_intervals(values, bounds, self.clean.counts, self.clean.groups)
        corruptions = {
            name: {
                "unit": UNITS[name],
                "amounts": amounts,
                "dice": [known.pop(f"{name} {i}") for i in range(1, len(amounts) + 1)],
                "mean": known.pop(f"{name} mean"),
            }
            for name, amounts in self.amounts.items()
        }
        return {**known, "corruptions": corruptions}

    def write(self, path: Path, class_names: Sequence[str]) -> None:
        """Write a row for each case, class, corruption and strength; the clean ones have strength
        0. `amount` is that of the case: a factor or its inverse, degrees to the left or right.
        """
        steps = [(n, i, a) for n, listed in self.amounts.items() for i, a in enumerate(listed, 1)]
        rows = [[*TEXT, "corruption", "strength", "amount", *COUNTS, "dice"]]
        for m, (case, group) in enumerate(zip(self.clean.cases, self.clean.groups, strict=True)):
            for j, class_name in enumerate(class_names):
                for s, (name, strength, amount) in enumerate([("clean", 0, None), *steps]):
                    counts = self.counts[m, s - 1, j] if s else self.clean.counts[m, j]
                    of_case = "" if amount is None else f"{amount_for(name, amount, case):.6g}"
                    figures = [*counts.tolist(), f"{dice(*counts):.12g}"]
                    rows.append([case, group, class_name, name, strength, of_case, *figures])
        atomic.write_csv(path, rows)

    def _split(self, values: Sequence[float]) -> dict[str, Sequence[float]]:
        """S values by corruption."""
        ends = np.cumsum([len(listed) for listed in self.amounts.values()]).tolist()
        starts = [0, *ends]
        return {n: values[a:b] for n, a, b in zip(self.amounts, starts, ends, strict=False)}

    def _mean(self, values: NDArray) -> NDArray[np.float64]:
        """(..., S) to the mean over corruptions of the mean over strengths."""
        sizes = [len(listed) for listed in self.amounts.values()]
        weights = np.repeat([1 / (n * len(sizes)) for n in sizes], sizes)
        return values @ weights

    @staticmethod
    def _dice(counts: NDArray) -> NDArray[np.float64]:
        return dice(*np.moveaxis(counts, -1, 0))
