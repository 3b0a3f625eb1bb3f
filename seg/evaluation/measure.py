"""All cases of a set to one table, and to the figures of whatever protocols are asked for."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg.evaluation.score import Table, score, stack
from seg.evaluation.stream import PredictedCase
from seg.inference import postprocess
from seg.inference.files.pipeline import map_ahead
from seg.inference.load import LoadedNetwork

log = logging.getLogger(__name__)


def measure(
    seen: Iterable[PredictedCase],
    network: LoadedNetwork,
    protocols: dict[str, Any],
    *,
    tolerance: float,
) -> tuple[Table, dict[str, dict[str, Any]], str]:
    """The table of all cases, the figures of the protocols, and the unit of distances."""
    errors: dict[str, str] = {}
    units: set[str] = set()

    def told() -> Iterator[PredictedCase]:
        for s in seen:
            units.add("mm" if s.in_mm else "pixels")
            about = {"case": s.case.pair.case, "group": s.case.group}
            for name in protocols.keys() - errors.keys():
                try:
                    size = network.preprocessing.size
                    protocols[name].update(s.probs, s.reference, **about, size=size)
                except ValueError as error:
                    errors[name] = str(error)
            yield s

    def row(s: PredictedCase) -> Table:
        return score(
            s.probs,
            decided(s, network),
            s.reference,
            case=s.case.pair.case,
            group=s.case.group,
            spacing=s.spacing,
            tolerance=tolerance,
        )

    table = stack(map_ahead(row, told(), count=4))
    others: dict[str, dict[str, Any]] = {}
    for name, protocol in protocols.items():
        try:
            others[name] = {"error": errors[name]} if name in errors else protocol.compute()
        except ValueError as error:
            others[name] = {"error": str(error)}
        if "error" in others[name]:
            log.warning("protocol %s cannot score these cases: %s", name, others[name]["error"])
    if len(units) > 1:
        log.warning("some files state their spacing and some do not: distances mix mm and pixels")
    return table, others, " and ".join(sorted(units))


def decided(seen: PredictedCase, network: LoadedNetwork) -> NDArray[np.uint8]:
    """(H, W) class indices, by the threshold and the clean-up of the checkpoint."""
    mask = postprocess.decide(seen.probs, network.threshold)
    return postprocess.apply(mask, network.postprocess, network.classes)
