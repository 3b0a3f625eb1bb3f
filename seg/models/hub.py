"""Files of trained weights from huggingface.co, or from where it keeps what it has downloaded."""

import logging
from pathlib import Path

log = logging.getLogger(__name__)


def fetch(repo: str, *names: str, revision: str = "main") -> list[Path]:
    """Files of a repository of weights; the network is not asked where they are there already.

    Args:
        repo: owner and name.
        names: of the files.
        revision: a branch, or the digits of a commit.

    Raises:
        OSError: they cannot be downloaded; it says where to put them by hand.
    """
    from huggingface_hub import (  # noqa: PLC0415 - an extra
        constants,
        hf_hub_download,
        try_to_load_from_cache,
        utils,
    )

    kept = [try_to_load_from_cache(repo, name, revision=revision) for name in names]
    if all(isinstance(path, str) for path in kept):
        return [Path(path) for path in kept]
    cache = Path(constants.HF_HUB_CACHE)
    utils.logging.set_verbosity_error()  # it would tell of each of its attempts
    log.info("weights: downloading huggingface.co/%s to %s", repo, cache)
    try:
        return [Path(hf_hub_download(repo, name, revision=revision)) for name in names]
    except Exception as error:  # of the network, of the server, of the library or of the disk
        reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else _reason(error)
        folder = cache / f"models--{repo.replace('/', '--')}" / "snapshots" / revision
        raise OSError(
            f"model.weights: huggingface.co/{repo} cannot be downloaded ({reason}): put "
            f"{' and '.join(names)} of https://huggingface.co/{repo}/tree/{revision} into "
            f"{folder}, or set model.weights=null"
        ) from error


def _reason(error: BaseException) -> str:
    """What the first of a chain of errors says."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
