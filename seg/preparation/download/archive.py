"""Data sets from the network: archives, checked, unpacked and put in their place whole."""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pooch

from seg.data.errors import DataError
from seg.preparation.download.placing import UNPACKED, is_there, put_in_place, work_folder
from seg.preparation.download.transfer import Lines, Progress, Unusable, transfer
from seg.preparation.download.unpacking import unpack

log = logging.getLogger(__name__)


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
    """The data of an archive (zip or tar.gz) in `folder`, downloaded unless they are there.

    sha256: of the archive, in hex; None takes any sound archive and logs its hash. mirrors: tried
    in order after `url`. has_layout: whether a folder has the layout; single folders around it are
    stripped. progress: called with (bytes so far, bytes in all or None); lines of the log if None.
    stall: seconds without 16 KiB more after which a connection is given up. retries: tries of an
    address without headway.

    What a killed or cut download left in `.<name>.download/` beside `folder` is gone on with. Of
    several processes one downloads, and the others wait for it.

    Raises DataError where `folder` holds something else (never overwritten), or listing what
    happened at each address; OSError where the disk is full or not writable.
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
    kept = frozenset(name for address in addresses for name in _names(address))
    problems = []
    with work_folder(folder, kept=kept) as work:
        for address in addresses:
            if is_there(folder, has_layout):  # another process was quicker
                return folder
            part, archive = (work / name for name in _names(address))
            try:
                _download(address, part, archive, sha256, progress, stall=stall, retries=retries)
                _place(archive, folder, work / UNPACKED, has_layout)
            except Unusable as error:
                problems.append(f"  {address}: {error}")
                if part.exists() and part.stat().st_size == 0:
                    part.unlink()
                continue
            for leftover in kept:  # such as a mirror's part of an earlier time
                (work / leftover).unlink(missing_ok=True)
            return folder
    listed = "\n".join(problems)
    raise DataError(folder, f"the data could not be downloaded:\n{listed}\n{by_hand}")


def _names(address: str) -> tuple[str, str]:
    """Of the file that grows, and of the whole one. By address: no other is ever gone on with."""
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
    """`archive` whole and checked. It stays until its data are in place. Raises Unusable."""
    pieced = False

    def bring(address: str, output_file: str, _: object) -> None:
        nonlocal pieced
        log.info("downloading %s", address)
        shown = progress or Lines(address.rsplit("/", 1)[-1])
        pieced = transfer(address, part, progress=shown, stall=stall, retries=retries)
        # pooch drops its file if the hash differs, or if it is killed: the part outlives that.
        os.unlink(output_file)
        try:
            os.link(part, output_file)
        except OSError:  # a drive without links
            shutil.copyfile(part, output_file)

    pooch.get_logger().setLevel(logging.ERROR)
    known = None if sha256 is None else f"sha256:{sha256.lower()}"
    for last in (False, True):
        try:
            pooch.retrieve(address, known, archive.name, path=archive.parent, downloader=bring)
        except ValueError as error:
            found = pooch.file_hash(str(part))
            part.unlink()
            if last or not pieced:
                raise Unusable(f"sha256 is {found}, expected {sha256}") from error
            log.info("%s: the pieces do not fit together; once more from the start", address)
            continue
        part.unlink(missing_ok=True)
        if sha256 is None:
            found = pooch.file_hash(str(archive))
            log.info("%s has sha256 %s; set as dataset.sha256 it is demanded", address, found)
        return


def _place(archive: Path, folder: Path, unpacked: Path, has_layout: Callable[[Path], bool]) -> None:
    """Unpack, then move to `folder` in one step. Raises Unusable, the archive removed."""
    try:
        unpack(archive, unpacked)
        chain = [unpacked]
        while len(inside := list(chain[-1].iterdir())) == 1 and inside[0].is_dir():
            chain.append(inside[0])
        found = next((path for path in reversed(chain) if has_layout(path)), None)
        if found is None:
            names = ", ".join(sorted(path.name for path in inside)[:5]) or "nothing"
            raise DataError(archive, f"not the layout of this data set, it holds {names}")
    except DataError as error:
        archive.unlink()
        raise Unusable(f"the archive is refused: {error.args[1]}") from error
    put_in_place(found, folder, has_layout)
