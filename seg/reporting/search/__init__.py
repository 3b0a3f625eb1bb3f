"""What a search has found, from its search.json: pictures and a few lines."""

from seg.reporting.search.drawing import draw
from seg.reporting.search.screen import show

__all__ = ["draw", "show"]
