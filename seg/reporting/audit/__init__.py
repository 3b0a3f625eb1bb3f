"""The audit on a screen, as a contact sheet, and as distributions."""

from seg.reporting.audit.distributions import distributions
from seg.reporting.audit.screen import show
from seg.reporting.audit.sheet import choose, contact_sheet

__all__ = ["choose", "contact_sheet", "distributions", "show"]
