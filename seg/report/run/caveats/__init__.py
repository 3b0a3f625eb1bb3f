"""What a reader of the figures must know, worked out from the run folder alone."""

from seg.report.run.caveats import data, scores, training
from seg.report.run.caveats.caveat import Caveat
from seg.report.run.evidence import Evidence

__all__ = ["Caveat", "caveats"]


def caveats(evidence: Evidence) -> list[Caveat]:
    """All that apply, the gravest first: whether the figures are of unseen cases, what they stand
    on, how the training went, what is not known.
    """
    found = [*data.caveats(evidence), *scores.caveats(evidence), *training.caveats(evidence)]
    found += [Caveat("broken file", f"{problem}.") for problem in evidence.problems]
    return sorted(found, key=lambda caveat: not caveat.grave)
