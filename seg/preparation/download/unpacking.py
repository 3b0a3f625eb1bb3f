"""Unpack an archive that nobody vouches for: plain files in a new folder, or nothing."""

import errno
import gzip
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from seg.data.errors import DataError

# A zip bomb exceeds both: pictures hardly shrink, and masks alone seldom a hundredfold.
BOMB_BYTES = 10**9
BOMB_RATIO = 100
MAX_MEMBERS = 10**6
_BLOCK = 1 << 20
# Errors of the disk, not of the archive.
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}
_FIX = "it may be damaged or made to do harm; take the data from elsewhere"


class Member(NamedTuple):
    """One entry of an archive. what: "file", "folder", or in words what it is instead."""

    name: str
    what: str
    size: int  # bytes, as declared
    open: Callable[[], IO[bytes] | None]


def kind(head: bytes) -> str | None:
    """`zip` or `tar.gz` by the first bytes of a file, None if it is neither."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return "tar.gz" if head.startswith(b"\x1f\x8b") else None


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar.gz into `folder`, which must not exist yet and is removed on any error.

    Files get the permissions of new files; what macOS adds (`__MACOSX`, `.DS_Store`, `._*`) is
    left out.

    Raises:
        DataError: a member is no plain file with a safe relative name (the message names it), or
            the archive is encrypted, damaged, truncated or a zip bomb; bytes are counted as they
            are written.
        OSError: the disk is full or not writable.
    """
    folder.mkdir()
    try:
        with archive.open("rb") as file:
            archive_kind = kind(file.read(4))
            file.seek(0)
            if archive_kind is None:
                raise DataError(archive, "not a zip or tar.gz archive", _FIX)
            limit = max(BOMB_BYTES, BOMB_RATIO * archive.stat().st_size)
            members = _zip_members(file) if archive_kind == "zip" else _tar_members(file, limit)
            _write(members, folder, limit)
    except BaseException as error:  # Ctrl-C as well: half of an archive must not stay
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DataError):
            raise DataError(archive, error.reason, error.fix) from error
        if not isinstance(error, Exception):
            raise
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise
        # The readers raise all kinds of exceptions on damaged files.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(archive, f"damaged or truncated: {reason}", _FIX) from error


def _zip_members(file: IO[bytes]) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            if info.flag_bits & 1:
                what = "encrypted"
            elif mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a link" if mode == stat.S_IFLNK else "a device or pipe"
            else:
                what = "folder" if info.is_dir() else "file"
            # zipfile has already cleaned `filename`; what the archive says itself is checked here.
            yield Member(info.orig_filename, what, info.file_size, partial(archive.open, info))


class _Counted:
    """A stream that raises after `limit` bytes.

    A tar's headers are read into memory, and those of a bomb would fill it before a file is
    written.
    """

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self.stream = stream
        self.left = limit

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise _bomb()
        return data


def _tar_members(file: IO[bytes], limit: int) -> Iterator[Member]:
    with gzip.open(file) as stream:
        counted = _Counted(stream, 2 * limit)  # headers and padding of small files on top
        with tarfile.open(fileobj=counted, mode="r|") as archive:
            for info in archive:
                if info.isfile():
                    what = "file"
                elif info.isdir():
                    what = "folder"
                else:
                    what = "a link" if info.issym() or info.islnk() else "a device or pipe"
                yield Member(info.name, what, info.size, partial(archive.extractfile, info))
        while counted.read(_BLOCK):  # to the end, where the checksum is
            pass


def _write(members: Iterator[Member], folder: Path, limit: int) -> None:
    # tarfile and zipfile only read here and write to no path, so that no link is ever made, and
    # none can be followed.
    seen: dict[str, str] = {}
    written = 0
    for count, member in enumerate(members):
        parts = _parts(member)
        if count >= MAX_MEMBERS:
            raise DataError("", f"more than {MAX_MEMBERS} members", _FIX)
        if _is_junk(parts):
            continue
        target = folder.joinpath(*parts)
        if member.what == "folder":
            target.mkdir(parents=True, exist_ok=True)
            continue
        key = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        if key in seen:
            raise _refusal(member, f"is there twice (the other: {seen[key]!r})")
        seen[key] = member.name
        if written + member.size > limit:
            raise _bomb()
        free = shutil.disk_usage(folder).free
        if member.size > free:
            raise OSError(
                errno.ENOSPC, f"{free / 1e9:.1f} GB are free, too few to unpack into", str(folder)
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, target.open("xb") as copy:
            while block := source.read(_BLOCK):
                written += len(block)
                if written > limit:
                    raise _bomb()
                copy.write(block)


def _parts(member: Member) -> tuple[str, ...]:
    name = member.name
    if member.what not in ("file", "folder"):
        raise _refusal(member, f"is {member.what}")
    if name.startswith("/"):
        raise _refusal(member, "has an absolute path")
    if re.match(r"[A-Za-z]:", name):
        raise _refusal(member, "has a drive letter")
    if "\\" in name or "\0" in name:
        raise _refusal(member, "has a backslash or zero byte in its name")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise _refusal(member, "leads out of the archive")
    if not parts and member.what == "file":
        raise _refusal(member, "has no name")
    return parts


def _is_junk(parts: tuple[str, ...]) -> bool:
    return any(p in ("__MACOSX", ".DS_Store") or p.startswith("._") for p in parts)


def _refusal(member: Member, reason: str) -> DataError:
    return DataError("", f"its member {member.name!r} {reason}", _FIX)


def _bomb() -> DataError:
    reason = f"unpacks to over {BOMB_BYTES / 1e9:g} GB and {BOMB_RATIO} times its size: a zip bomb"
    return DataError("", reason, _FIX)
