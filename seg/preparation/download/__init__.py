"""Data sets from the network: archives and Kaggle's sets, checked, unpacked, put in place whole."""

import hashlib
import importlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from seg.data.errors import DataError
from seg.preparation.download.placing import UNPACKED, is_there, put_in_place, work_folder
from seg.preparation.download.transfer import LogProgress, Progress, Unusable, transfer_file
from seg.preparation.download.unpacking import unpack

log = logging.getLogger(__name__)

_JUNK = shutil.ignore_patterns("__MACOSX", ".DS_Store", "._*")


def fetch(
    *,
    url: str | None,
    sha256: str | None,
    mirrors: Sequence[str],
    folder: Path,
    has_layout: Callable[[Path], bool],
    progress: Progress | None = None,
    stall: float = 20.0,
    retries: int = 3,
) -> Path:
    """Download the archive of a data set (zip or tar.gz) and unpack it, unless its data are there.

    A killed or cut download continues from what it left in `.<name>.download/` beside `folder`.
    Of several processes one downloads, and the others wait for it.

    Args:
        url: address of the archive.
        sha256: of the archive, in hex; None takes any sound archive and logs its hash.
        mirrors: further addresses, tried in order.
        folder: where the data are put.
        has_layout: whether a folder has the layout; single folders around it are removed.
        progress: called with (bytes so far, bytes in all or None); lines in the log if None.
        stall: seconds without 16 KiB more after which a connection is given up.
        retries: tries of an address without progress.

    Raises:
        DataError: `folder` has other contents (never overwritten), or no address worked; it lists
            what happened at each.
        OSError: the disk is full or not writable.
    """
    folder = Path(folder).expanduser().resolve()
    if is_there(folder, has_layout):
        return folder
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ValueError(f"dataset.sha256={sha256!r} is not 64 hexadecimal digits")
    addresses = list(dict.fromkeys(address for address in (url, *mirrors) if address))
    by_hand = f"unpack the data to {folder} by hand, or set dataset.url to another address"
    if not addresses:
        raise DataError(folder, "no data there, and no address to download them from", by_hand)
    kept = frozenset(name for address in addresses for name in _file_names(address))
    problems = []
    with work_folder(folder, kept=kept) as work:
        for address in addresses:
            if is_there(folder, has_layout):  # another process was faster
                return folder
            part, archive = (work / name for name in _file_names(address))
            try:
                _download(address, part, archive, sha256, progress, stall=stall, retries=retries)
                _place(archive, folder, work / UNPACKED, has_layout)
            except Unusable as error:
                problems.append(f"  {address}: {error}")
                if part.exists() and part.stat().st_size == 0:
                    part.unlink()
                continue
            for name in kept:  # such as a part from a mirror of an earlier attempt
                (work / name).unlink(missing_ok=True)
            return folder
    listed = "\n".join(problems)
    raise DataError(folder, f"the data could not be downloaded:\n{listed}\n{by_hand}")


def _file_names(address: str) -> tuple[str, str]:
    """Names of the partial and of the complete file; no other address continues them."""
    key = hashlib.sha256(address.encode()).hexdigest()[:12]
    return f"{key}.part", f"{key}.archive"


def _download(
    address: str,
    part: Path,
    archive: Path,
    sha256: str | None,
    progress: Progress | None,
    *,
    stall: float,
    retries: int,
) -> None:
    """Make `archive` complete and checked, and keep it until its data are in place."""

    def bring() -> tuple[bool, str]:
        log.info("downloading %s", address)
        show = progress or LogProgress(address.rsplit("/", 1)[-1])
        pieced = transfer_file(address, part, progress=show, stall=stall, retries=retries)
        return pieced, _digest(part)

    wanted = sha256 and sha256.lower()
    digest = _digest(archive) if archive.exists() else None  # a killed run may have left it
    if digest is None or wanted not in (None, digest):
        pieced, digest = bring()
        if pieced and wanted not in (None, digest):
            log.info("%s: the pieces do not fit together; once more from the start", address)
            part.unlink()
            _, digest = bring()
        if wanted not in (None, digest):
            part.unlink()
            raise Unusable(f"sha256 is {digest}, expected {sha256}")
        os.replace(part, archive)
    part.unlink(missing_ok=True)
    if sha256 is None:
        log.info("%s has sha256 %s; set it as dataset.sha256 to require it", address, digest)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(archive: Path, folder: Path, unpacked: Path, has_layout: Callable[[Path], bool]) -> None:
    """Unpack, then move to `folder` in one step. Raises Unusable, the archive removed."""
    try:
        unpack(archive, unpacked)
        chain = [unpacked]
        while len(content := list(chain[-1].iterdir())) == 1 and content[0].is_dir():
            chain.append(content[0])
        source = next((path for path in reversed(chain) if has_layout(path)), None)
        if source is None:
            names = ", ".join(sorted(path.name for path in content)[:5]) or "nothing"
            raise DataError(archive, f"not the layout of this data set, it holds {names}")
    except DataError as error:
        archive.unlink()
        raise Unusable(f"the archive is refused: {error.reason}") from error
    put_in_place(source, folder, has_layout)


def fetch_kaggle(*, handle: str, folder: Path, has_layout: Callable[[Path], bool]) -> Path:
    """Download a Kaggle set by Kaggle's own client (extra `kaggle`), unless its data are there.

    Args:
        handle: `owner/name`.
        folder: where the data are put.
        has_layout: whether a folder has the layout; the outermost one with it is copied from the
            client's cache (the LGG archive has its data twice).

    Raises:
        ImportError: kagglehub is not installed.
        DataError: Kaggle does not give the data, or `folder` has other contents.
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
        if is_there(folder, has_layout):  # another process was faster
            return folder
        try:
            cached = Path(kagglehub.dataset_download(handle))
        except Exception as error:  # of many kinds: no network, no such set, no account
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise DataError(page, reason, by_hand) from error
        source = next((path for path in _by_level(cached, depth=3) if has_layout(path)), None)
        if source is None:
            raise DataError(
                cached, "what Kaggle sent does not have the layout of this data set", by_hand
            )
        shutil.copytree(source, work / UNPACKED, ignore=_JUNK)
        put_in_place(work / UNPACKED, folder, has_layout)
    return folder


def _by_level(root: Path, *, depth: int) -> Iterator[Path]:
    """`root` and the folders below it, the outer ones first."""
    level = [root]
    for _ in range(depth + 1):
        yield from level
        level = sorted(child for path in level for child in path.iterdir() if child.is_dir())
