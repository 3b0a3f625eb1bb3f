"""Download one address to one file: it continues after a cut, and gives up when it stalls."""

import errno
import logging
import queue
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import requests
import urllib3

from seg.preparation.download.unpacking import kind

log = logging.getLogger(__name__)

# At least so many bytes must come within each `stall` seconds: a server that drips is given up.
CHUNK = 1 << 14
# A connection that brought this much before it was cut is not counted as a failed try.
_HEADWAY = 1 << 20
PAUSE = 0.5  # seconds before the second try, then doubled, up to 4
_BUSY = {408, 425, 429, 500, 502, 503, 504}

Progress = Callable[[int, int | None], None]


class Unusable(Exception):
    """An address that cannot be used; a few words for a list of addresses."""


class _Cut(Unusable):
    """An error that may be gone at the next try."""


class _Stalled(_Cut):
    pass


class LogProgress:
    """Progress as lines in the log: at each tenth, but not more often than every two seconds."""

    def __init__(self, name: str, *, seconds: float = 2.0) -> None:
        self.name = name
        self.seconds = seconds
        self.at = time.monotonic()
        self.tenth = 0

    def __call__(self, received: int, total: int | None) -> None:
        """received, total: bytes; total None where the server does not say."""
        now = time.monotonic()
        if now - self.at < self.seconds:
            return
        tenth = 10 * received // total if total else self.tenth
        if tenth == self.tenth and now - self.at < 5 * self.seconds:
            return
        self.at, self.tenth = now, tenth
        share = f" of {_mb(total)} ({100 * received // total} %)" if total else ""
        log.info("%s: %s%s", self.name, _mb(received), share)


def transfer_file(
    address: str, part: Path, *, progress: Progress, stall: float, retries: int
) -> bool:
    """Download `address` to the file `part`, and continue what is in it already.

    Args:
        address: what to download.
        part: the file, which may exist.
        progress: called with (bytes so far, bytes in all or None).
        stall: seconds without an answer, or with less than CHUNK bytes, after which a connection is
            given up.
        retries: tries without progress.

    Returns:
        Whether the file was put together from several connections.

    Raises:
        Unusable: the address cannot be used.
    """
    pieced = _size(part) > 0
    most = _size(part)
    failed = 0  # tries since the last progress
    while True:
        try:
            _once(address, part, progress=progress, stall=stall)
            return pieced
        except _Cut as error:
            size = _size(part)
            received = size - most
            most = max(most, size)
            allowed = retries
            if isinstance(error, _Stalled):  # a stall costs time: try once more, if any bytes came
                allowed = min(retries, 2 if received > 0 else 1)
            failed = 0 if received >= _HEADWAY else failed + 1
            if failed >= allowed:
                raise Unusable(str(error)) from error
            log.info("%s: %s; trying again", address, error)
        time.sleep(PAUSE * min(2 ** max(0, failed - 1), 8))
        pieced = pieced or size > 0


def _once(address: str, part: Path, *, progress: Progress, stall: float) -> None:
    start = _size(part)
    with closing(_watched(_reply(address, start, stall), stall)) as reply:
        response = next(reply)
        if start and response.status_code in (206, 416):
            begin, total = _range(response)
            if (begin, total) == (None, start):
                return  # complete: an earlier run was killed just after its last byte
            if begin != start:
                part.unlink()
                raise _Cut("the file has changed since the last try")
        else:
            begin, total = 0, _length(response)
        free = shutil.disk_usage(part.parent).free
        if total is not None and total - begin > free:
            reason = f"{_mb(free)} are free, the archive needs {_mb(total - begin)}"
            raise OSError(errno.ENOSPC, reason, str(part.parent))
        with part.open("ab") as file:
            file.truncate(begin)
            received = begin
            for chunk in reply:
                if received == 0 and len(chunk) >= 4 and kind(chunk) is None:
                    raise Unusable(_not_an_archive(response, chunk))
                file.write(chunk)
                received += len(chunk)
                progress(received, total)
    if total is not None and received < total:
        raise _Cut(f"the connection was cut after {_mb(received)} of {_mb(total)}")
    if not received:
        raise Unusable("the server sent an empty file")


def _reply(address: str, start: int, stall: float) -> Iterator[requests.Response | bytes]:
    """The response, then its bytes as they lie on the server (a tar.gz stays one)."""
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    # Longer than `stall`: it only ends the thread of a connection that was given up.
    with requests.get(address, headers=headers, stream=True, timeout=stall + 5) as response:
        yield response
        yield from response.raw.stream(CHUNK, decode_content=False)


def _watched(reply: Iterator, stall: float) -> Iterator:
    """The items of `reply`, read in a thread of its own, or an error when they stall.

    The timeouts of requests are for each read of the socket, so headers or bytes that drip, or a
    slow name server, would block it for ever.
    """
    items: queue.Queue = queue.Queue(maxsize=64)
    abandoned = threading.Event()

    def hand_over(item: object) -> None:
        while not abandoned.is_set():
            with suppress(queue.Full):
                items.put(item, timeout=0.2)
                return

    def read() -> None:
        try:
            for item in reply:
                hand_over(item)
                if abandoned.is_set():
                    return
            hand_over(None)
        except Exception as error:
            hand_over(error)

    threading.Thread(target=read, daemon=True).start()
    due, counted, answered = time.monotonic() + stall, 0, False
    try:
        while True:
            try:
                item = items.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                what = f"less than {CHUNK // 1024} KiB" if answered else "no answer"
                raise _Stalled(f"the server stalled: {what} within {stall:g} s") from None
            if item is None:
                return
            if isinstance(item, Exception):
                raise _unusable(item) from item
            counted += len(item) if isinstance(item, bytes) else CHUNK
            answered = True
            if counted >= CHUNK:
                due, counted = time.monotonic() + stall, 0
            yield item
    finally:
        abandoned.set()


def _unusable(error: Exception) -> Unusable:
    """An error of requests or urllib3 in short; their messages are long and name their classes."""
    text = f"{error!r} {error.__cause__!r}"
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return Unusable("no such host, or no network")
    if isinstance(error, requests.exceptions.SSLError):
        return Unusable("its certificate cannot be verified")
    if isinstance(error, requests.exceptions.ProxyError):
        return Unusable("the proxy of the environment does not answer")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return _Stalled("the server stalled")
    if "Connection refused" in text:
        return _Cut("the connection was refused")
    if isinstance(error, requests.ConnectionError | urllib3.exceptions.HTTPError):
        return _Cut("the connection was cut")
    return Unusable(" ".join(str(error).split())[:200] or type(error).__name__)


def _length(response: requests.Response) -> int | None:
    status = response.status_code
    if status != 200:
        problem = f"{status} {response.reason or ''}".strip()
        raise (_Cut if status in _BUSY else Unusable)(problem)
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _range(response: requests.Response) -> tuple[int | None, int | None]:
    header = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", header)
    if match is None:
        return None, None
    return tuple(int(g) if g and g != "*" else None for g in match.groups())


def _not_an_archive(response: requests.Response, chunk: bytes) -> str:
    if "html" in response.headers.get("Content-Type", "") or chunk.lstrip()[:1] == b"<":
        return "the server answered with a web page, not an archive"
    return f"not a zip or tar.gz archive, it begins with {chunk[:12]!r}"


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
