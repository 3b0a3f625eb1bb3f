"""What a data set holds and what is wrong with it, before the first epoch."""

from seg.preparation.audit.facts import CaseFacts
from seg.preparation.audit.findings import finding
from seg.preparation.audit.reading import Read, reader, scan
from seg.preparation.audit.suggestions import explain_values
from seg.preparation.audit.summary import summarize
from seg.preparation.audit.warnings import mirrored, narrow_values, shared_images

__all__ = [
    "CaseFacts", "Read", "explain_values", "finding", "mirrored", "narrow_values", "reader", "scan",
    "shared_images", "summarize",
]  # fmt: skip
