"""What a loader process does before its first batch."""

import signal

import cv2

GRACE = 60  # seconds that a loader process goes on after SIGTERM


def prepare_worker(worker: int) -> None:
    """Leave the cores to the training, and do not end before it."""
    # OpenCV's own threads in every worker would compete with the training for the cores.
    cv2.setNumThreads(0)
    # A scheduler signals all processes of a job, but the training needs its workers until it has
    # finished its batch and saved. Workers end with their parent; the alarm ends one that hangs.
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(GRACE))
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
