"""What a search has found, from its search.json: pictures and a few lines."""

from seg.report.search.console import show
from seg.report.search.drawing import draw

__all__ = ["draw", "show"]
