"""The audit on a screen, as a contact sheet, and as distributions."""

from seg.report.audit.console import show
from seg.report.audit.distributions import distributions
from seg.report.audit.sheet import choose, contact_sheet

__all__ = ["choose", "contact_sheet", "distributions", "show"]
