"""What a data set holds and what is wrong with it, before the first epoch."""

from seg.data.audit.facts import CaseFacts, Fault
from seg.data.audit.groups import suggest_group
from seg.data.audit.pictures import fingerprints, pictures_below
from seg.data.audit.reading import reader
from seg.data.audit.scanning import scan
from seg.data.audit.summary import summarize

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
