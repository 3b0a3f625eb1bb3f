"""The audit of a data set in the terminal, as a contact sheet, and as distributions."""

from seg.report.audit.console import show
from seg.report.audit.distributions import distributions
from seg.report.audit.sheet import contact_sheet

__all__ = ["contact_sheet", "distributions", "show"]
