"""What a command prints: its messages on stderr, and an error in one short message."""

import logging
import os
import sys
import warnings

from seg.cli.compose import MAX_LINES
from seg.runs.interrupts import interruption

log = logging.getLogger("seg")


def report(error: BaseException, *, go_on: str = "") -> int:
    """Print one short message; returns the exit status.

    Args:
        error: what ended the command.
        go_on: after Ctrl-C, how to go on.
    """
    said = error.args if isinstance(error, KeyboardInterrupt) else ()
    error = interruption(error) or error
    if isinstance(error, SystemExit):
        return error.code
    if isinstance(error, KeyboardInterrupt):
        print(": ".join(["interrupted", *map(str, said)]), file=sys.stderr)
        if go_on:
            print(go_on, file=sys.stderr)
        return 130
    if getattr(error, "status", None) == "pruned":  # a search ended it on purpose
        log.info("%s", error)
        return 0
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise error
    print("error:", "\n".join(message(error)), file=sys.stderr)
    return 1


def message(error: BaseException) -> list[str]:
    """What to say of an error, in a few lines."""
    if isinstance(error, OSError) and error.filename is not None:
        error = OSError(f"{error.filename}: {error.strerror}")
    lines = str(error).strip().splitlines() or [type(error).__name__]
    shown = lines[: MAX_LINES + 1]
    if not isinstance(error, ValueError | OSError | ImportError):
        shown[0] = f"{type(error).__name__}: {shown[0]}"
        shown.append("(HYDRA_FULL_ERROR=1 shows where)")
    return shown


def set_up_logging() -> None:
    """Print the project's own messages on stderr, and of the libraries' what a user can act on."""
    handler = logging._StderrHandler()  # looks sys.stderr up anew, which a progress bar redirects
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    further_rank = os.environ.get("LOCAL_RANK", "0") != "0"
    log.setLevel(logging.ERROR if further_rank else logging.INFO)
    log.propagate = False
    quiet_libraries()


def quiet_libraries() -> None:
    """Again after they are imported, since Lightning chooses its level then."""
    for name in ("pytorch_lightning", "lightning_fabric", "torch.distributed", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in ("pytorch_lightning", "lightning_fabric", "torch", "torchmetrics", "hydra",
                 "albumentations"):  # fmt: skip
        warnings.filterwarnings("ignore", module=rf"{name}\..*")
