"""Data sets that only Kaggle has, by its own client (extra `kaggle`)."""

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path

from seg.data.errors import DataError
from seg.preparation.download.placing import UNPACKED, is_there, put_in_place, work_folder

_JUNK = ("__MACOSX", ".DS_Store", "._*")


def fetch_kaggle(*, handle: str, folder: Path, has_layout: Callable[[Path], bool]) -> Path:
    """The data of a Kaggle set (`owner/name`) in `folder`, downloaded unless they are there.

    has_layout: whether a folder has the layout; the outermost one with it is copied out of Kaggle's
    cache, once (the LGG archive holds its data twice).

    Raises ImportError without kagglehub, DataError where Kaggle does not give the data or `folder`
    holds something else.
    """
    folder = Path(folder).expanduser().resolve()
    if is_there(folder, has_layout):
        return folder
    page = f"https://www.kaggle.com/datasets/{handle}"
    by_hand = f"download {page} in a browser, unpack it, and set dataset.root to its folder"
    try:
        kagglehub = importlib.import_module("kagglehub")
    except ImportError as error:
        fix = f"pip install 'seg-med[kaggle]'; or {by_hand}"
        raise ImportError(f"{handle} comes from Kaggle, whose client is missing: {fix}") from error
    with work_folder(folder) as work:
        if is_there(folder, has_layout):  # another process was quicker
            return folder
        try:
            cached = Path(kagglehub.dataset_download(handle))
        except Exception as error:  # of many kinds: no network, no such set, no account
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise DataError(page, reason, by_hand) from error
        found = _outermost(cached, has_layout)
        if found is None:
            raise DataError(cached, "what Kaggle gave has not the layout of this data set", by_hand)
        shutil.copytree(found, work / UNPACKED, ignore=shutil.ignore_patterns(*_JUNK))
        put_in_place(work / UNPACKED, folder, has_layout)
    return folder


def _outermost(root: Path, has_layout: Callable[[Path], bool], depth: int = 3) -> Path | None:
    level = [root]
    for _ in range(depth + 1):
        for path in level:
            if has_layout(path):
                return path
        level = sorted(child for path in level for child in path.iterdir() if child.is_dir())
    return None
