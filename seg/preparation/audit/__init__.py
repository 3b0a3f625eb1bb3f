"""What a data set holds and what is wrong with it, before the first epoch."""

from seg.preparation.audit.facts import CaseFacts
from seg.preparation.audit.reading import Read, reader, scan
from seg.preparation.audit.summary import summarize
from seg.preparation.audit.warnings import shared_images

__all__ = ["CaseFacts", "Read", "reader", "scan", "shared_images", "summarize"]
