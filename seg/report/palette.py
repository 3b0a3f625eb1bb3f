"""The colours of all pictures and charts, chosen for readers of any colour vision.

tests/report/test_palette.py computes how far apart they are for full colour vision and for the
three kinds of colour blindness, among themselves and on stained, endoscopic and grey tissue.
"""

# Of lines and bars, in this order; in pages they are the variables s0, s1, ... of page.css.
SERIES = (
    "#0072b2", "#d55e00", "#009e73", "#b8609a", "#c8b400", "#3f9fdc", "#7a5195", "#5f6b76",
)  # fmt: skip
TRAIN, VALIDATION = SERIES[:2]
# Outlines of classes on the image in its own colours.
CLASSES = (
    "#7cfc00", "#3c78ff", "#ffffff", "#d55e00", "#8c00c8", "#00e5ff", "#ff00c8", "#e69f00",
)  # fmt: skip
IGNORED = "#808080"
# Outlines of what a prediction got right and wrong, on the image in grey.
HIT, MISS, FALSE_ALARM, CONFUSED = "#ffffff", "#d55e00", "#56b4e9", "#a428f0"


def series(index: int) -> str:
    """The colour of a line, by its index from 0; they repeat after the eighth."""
    return SERIES[index % len(SERIES)]


def class_colour(index: int) -> str:
    """The colour of a class, by its index from 1; they repeat after the eighth."""
    return CLASSES[(index - 1) % len(CLASSES)]
