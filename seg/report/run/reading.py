"""From a run folder to what is said of it."""

from dataclasses import dataclass
from pathlib import Path

from seg.report.run import pictures
from seg.report.run.caveats import Caveat, caveats
from seg.report.run.evidence import Evidence, read_evidence
from seg.report.run.pictures import Picture
from seg.report.run.text import Headline, headline


@dataclass(frozen=True)
class Report:
    """headline: None where the run has no test."""

    evidence: Evidence
    headline: Headline | None
    panels: list[Picture]
    diagnostics: list[Picture]
    caveats: list[Caveat]


def read(folder: Path, *, metric: str = "dice", source: str = "test") -> Report:
    """Whatever is wrong in the folder is a caveat, never an error.

    metric, source: of the headline. Raises FileNotFoundError for an evaluation that is not there,
    ValueError for a figure that it does not have.
    """
    evidence = read_evidence(folder)
    found = headline(evidence, metric=metric, source=source)
    panels, diagnostics = pictures.panels(evidence), pictures.diagnostics(evidence)
    # The pictures may have added to the problems.
    return Report(evidence, found, panels, diagnostics, caveats(evidence))
