"""Ctrl-C and the signals that end a run: found behind other errors, and held off for a moment."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# sent by kill, by schedulers that pre-empt, and by SLURM's --signal=USR1@60 as a warning
SIGNALS = (signal.SIGTERM, getattr(signal, "SIGUSR1", signal.SIGTERM))

Interruption = KeyboardInterrupt | SystemExit


def interruption(error: BaseException | None) -> Interruption | None:
    """The Ctrl-C or the signal behind an error, the first of several; None if there was none.

    Libraries make other errors of it: torch's writer of checkpoints fails at its own check of the
    file, and Lightning exits with status 1.
    """
    first, seen = None, set()
    while error is not None and id(error) not in seen:  # an error may be its own cause's cause
        seen.add(id(error))
        if isinstance(error, Interruption):
            first = error
        error = error.__cause__ or error.__context__
    return first


@contextmanager
def ignored() -> Iterator[None]:
    """Ignore Ctrl-C and signals for the moment in which the end of a run is written down."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers belong to the main thread
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, *SIGNALS)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
