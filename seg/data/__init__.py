"""Files on disk to batches."""

from collections.abc import Callable, Iterator

# Wraps the iterator of a long task: (steps, their number, a label) to the same steps.
Progress = Callable[[Iterator, int, str], Iterator]


def no_progress(steps: Iterator, total: int, label: str) -> Iterator:
    """A `Progress` that shows nothing."""
    return steps
