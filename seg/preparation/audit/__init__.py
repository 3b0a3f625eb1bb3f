"""What a data set holds and what is wrong with it, before the first epoch."""

from seg.preparation.audit.facts import CaseFacts, Fault
from seg.preparation.audit.groups import suggest_group
from seg.preparation.audit.pictures import fingerprints, pictures_below
from seg.preparation.audit.reading import reader
from seg.preparation.audit.scanning import scan
from seg.preparation.audit.summary import summarize

__all__ = [
    "CaseFacts",
    "Fault",
    "fingerprints",
    "pictures_below",
    "reader",
    "scan",
    "suggest_group",
    "summarize",
]
