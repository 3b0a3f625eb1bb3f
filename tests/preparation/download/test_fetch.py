"""The download of data sets, against a server on this machine that misbehaves in every way."""

import contextlib
import errno
import gzip
import hashlib
import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from seg.data.errors import DataError
from seg.preparation import download
from seg.preparation.download import fetch, placing, transfer

STALL = 0.3  # where the server stalls; elsewhere a busy machine gets time


def has_layout(folder: Path) -> bool:
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


# ------------------------------------------------------------------------------ the archives


def _noise(size: int, seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


FILES = {
    f"{kind}/{i}.jpg": _noise(20_000, seed=i + 100 * (kind == "masks"))
    for i in range(5)
    for kind in ("images", "masks")
} | {"boxes.json": b"{}"}


def as_zip(files: dict[str, bytes], top: str = "Kvasir-SEG/") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(top + name, data)
    return stream.getvalue()


def as_tar(files: dict[str, bytes], top: str = "segmented-images/") -> bytes:
    stream = io.BytesIO()
    with gzip.open(stream, "wb") as out, tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


ZIP = as_zip(FILES)  # 200 kB
SHA = hashlib.sha256(ZIP).hexdigest()


# -------------------------------------------------------------------------------- the server


@dataclass
class Answer:
    """How one path is answered."""

    body: bytes = ZIP
    status: int = 200
    kind: str = "application/zip"
    encoding: str | None = None
    ranges: bool = True
    length: bool = True  # Content-Length; without it the end of the connection is the end
    cut_after: int | None = None  # bytes of an answer, then the connection is closed
    cuts: int = 10**9  # so many answers are cut, the others are whole
    stall_after: int | None = None  # bytes, or -1: not even headers
    drip: float = 0.0  # seconds between pieces of `piece` bytes
    piece: int = 1 << 14
    chunked: bool = False
    drip_headers: bool = False
    bodies: list[bytes] = field(default_factory=list)  # of the first requests, then `body`


class Site:
    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, int]] = []  # (path, first byte)
        self.closing = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None: ...

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    site.answer(self)
                self.close_connection = True

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def put(self, path: str = "/set.zip", **how: object) -> str:
        self.answers[path] = Answer(**how)
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        how = self.answers.get(request.path, Answer(status=404, body=b"nothing here"))
        byte_range = request.headers.get("Range")
        first = int(byte_range.removeprefix("bytes=").rstrip("-")) if byte_range else 0
        self.requests.append((request.path, first))
        if how.stall_after == -1:
            self.closing.wait(30)
            return
        if how.drip_headers:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.closing.wait(0.1):
                request.wfile.write(b"x")
            return
        body = how.bodies.pop(0) if how.bodies else how.body
        if not how.ranges:
            first = 0
        if first and first >= len(body):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(body)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if first else how.status)
        request.send_header("Content-Type", how.kind)
        if how.encoding:
            request.send_header("Content-Encoding", how.encoding)
        if first:
            span = f"bytes {first}-{len(body) - 1}/{len(body)}"
            request.send_header("Content-Range", span)
        if how.chunked:
            request.send_header("Transfer-Encoding", "chunked")
        elif how.length:
            request.send_header("Content-Length", str(len(body) - first))
        request.end_headers()
        self.send(request, how, body[first:])

    def send(self, request: BaseHTTPRequestHandler, how: Answer, rest: bytes) -> None:
        sent = 0
        how.cuts -= 1
        end = how.cut_after if how.cut_after is not None and how.cuts >= 0 else len(rest)
        for at in range(0, min(end, len(rest)), how.piece):
            piece = rest[at : min(at + how.piece, end)]
            if how.stall_after is not None and sent + len(piece) > how.stall_after:
                self.closing.wait(30)
                return
            framed = b"%x\r\n%s\r\n" % (len(piece), piece) if how.chunked else piece
            request.wfile.write(framed)
            request.wfile.flush()
            sent += len(piece)
            if how.drip and self.closing.wait(how.drip):
                return
        if how.chunked and end >= len(rest):
            request.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(transfer, "PAUSE", 0.02)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = Site()
    yield site
    site.closing.set()
    site.server.shutdown()
    site.server.server_close()


def get(folder: Path, url: str | None, **options: object) -> Path:
    options = {"sha256": SHA, "mirrors": [], "stall": 10.0, "retries": 2} | options
    return fetch(url=url, folder=folder, has_layout=has_layout, **options)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "Kvasir-SEG"


def assert_complete(folder: Path) -> None:
    """Every byte is there, and nothing beside it."""
    contents = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    assert contents == FILES
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def assert_refused(folder: Path, url: str | None, *words: str, **options: object) -> str:
    """One DataError that contains all of `words`, and no folder."""
    with pytest.raises(DataError) as caught:
        get(folder, url, **options)
    message = str(caught.value)
    for part in (str(folder), *words):
        assert part in message
    assert not folder.exists()
    assert len(message.splitlines()) < 8
    return message


def nothing_beside(folder: Path) -> bool:
    return not folder.parent.exists() or list(folder.parent.iterdir()) == []


# ----------------------------------------------------------------------------------- it works


@pytest.mark.parametrize("body", [ZIP, as_tar(FILES), as_zip(FILES, ""), as_zip(FILES, "a/b/")])
def test_the_data_end_in_the_folder_itself(site: Site, target: Path, body: bytes) -> None:
    url = site.put(body=body)
    assert get(target, url, sha256=hashlib.sha256(body).hexdigest()) == target
    assert_complete(target)
    assert len(site.requests) == 1


def test_folders_around_the_layout_are_stripped_if_they_match(site: Site, target: Path) -> None:
    fetch(
        url=site.put(),
        sha256=SHA,
        mirrors=[],
        folder=target,
        has_layout=lambda p: has_layout(p) or any(has_layout(c) for c in p.iterdir() if c.is_dir()),
    )
    assert_complete(target)


@pytest.mark.parametrize(
    "how",
    [
        {"length": False},
        {"chunked": True},
        {"kind": "text/html"},
        {"encoding": "gzip"},  # declared for a tar.gz, which must not be unpacked on the way
    ],
)
def test_servers_with_few_or_wrong_headers_work(site: Site, target: Path, how: dict) -> None:
    body = as_tar(FILES)
    get(target, site.put(body=body, **how), sha256=hashlib.sha256(body).hexdigest())
    assert_complete(target)


def test_a_hash_in_capitals_is_the_same_hash(site: Site, target: Path) -> None:
    get(target, site.put(), sha256=SHA.upper())
    assert_complete(target)


def test_an_invalid_hash_is_refused_before_any_request(site: Site, target: Path) -> None:
    with pytest.raises(ValueError, match=r"dataset\.sha256='abc'"):
        get(target, site.put(), sha256="abc")
    assert site.requests == []


def test_without_a_hash_that_of_the_archive_is_logged(
    site: Site, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        get(target, site.put(), sha256=None)
    assert_complete(target)
    assert SHA in caplog.text


def test_an_empty_folder_is_filled(site: Site, target: Path) -> None:
    target.mkdir(parents=True)
    get(target, site.put())
    assert_complete(target)


def test_a_link_to_a_folder_stays_a_link(site: Site, target: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "set").mkdir(parents=True)
    target.parent.mkdir()
    target.symlink_to(disk / "set")
    get(target, site.put())
    assert target.is_symlink()
    assert_complete(disk / "set")


def test_a_name_with_spaces_and_accents_works(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "d\u00e4ta set" / "Kvas\u00edr SEG"
    get(target, site.put())
    assert_complete(target)


def test_data_that_are_there_need_no_network(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (target / "images").mkdir(parents=True)
    (target / "masks").mkdir()
    monkeypatch.setattr(socket, "socket", lambda *a, **k: pytest.fail("a connection was made"))
    assert get(target, "http://127.0.0.1:9/set.zip") == target
    assert list(target.parent.iterdir()) == [target]


def test_progress_counts_every_byte_up_to_the_whole(site: Site, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    get(target, site.put(), progress=lambda received, total: seen.append((received, total)))
    assert seen[-1] == (len(ZIP), len(ZIP))
    assert [received for received, _ in seen] == sorted({received for received, _ in seen})
    assert len(seen) > 5


def test_lines_of_progress_are_few_and_say_the_share(caplog: pytest.LogCaptureFixture) -> None:
    lines = transfer.LogProgress("set.zip", seconds=0.0)
    with caplog.at_level(logging.INFO):
        for percent in range(101):
            lines.at = time.monotonic() + 100 if percent % 10 else 0.0  # time stands still
            lines(percent * 10_000, 1_000_000)
    assert len(caplog.messages) == 11
    assert re.fullmatch(r"set\.zip: 0\.5 MB .*1\.0 MB .*50 %.*", caplog.messages[5])


# ------------------------------------------------------------------- the folder of the user


def test_other_contents_are_refused_and_left_alone(site: Site, target: Path) -> None:
    (target / "mine").mkdir(parents=True)
    (target / "mine" / "a.txt").write_text("precious")
    with pytest.raises(DataError, match=r"mine.*dataset\.root"):
        get(target, site.put())
    assert [p for p in target.parent.rglob("*") if p.is_file()] == [target / "mine" / "a.txt"]
    assert site.requests == []


def test_a_file_in_the_place_of_the_folder_is_refused(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_text("precious")
    with pytest.raises(DataError, match=r"folder.*dataset\.root"):
        get(target, site.put())
    assert target.read_text() == "precious"


def test_a_folder_that_fills_meanwhile_is_not_overwritten(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack = download.unpack

    def slowly(*args: Path) -> None:
        unpack(*args)
        target.mkdir()
        (target / "mine").write_text("precious")

    monkeypatch.setattr(download, "unpack", slowly)
    with pytest.raises(DataError, match="mine"):
        get(target, site.put())
    assert [p.name for p in target.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made_is_named_with_the_key(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=rf"{tmp_path}/file/data.*dataset\.root"):
        get(tmp_path / "file" / "data" / "set", site.put())


def test_no_address_at_all_says_where_to_put_the_data(target: Path) -> None:
    assert_refused(target, None, "no address", "by hand", "dataset.url")


def test_an_archive_of_something_else_is_refused_with_what_it_holds(
    site: Site, target: Path
) -> None:
    body = as_zip({"readme.md": b"x", "videos/a.avi": b"x"}, "top/")
    sha256 = hashlib.sha256(body).hexdigest()
    assert_refused(target, site.put(body=body), "layout", "readme.md, videos", sha256=sha256)
    assert nothing_beside(target)


# ------------------------------------------------------------------------ wrong bytes, no bytes


def test_a_flipped_byte_names_both_hashes_and_leaves_nothing(site: Site, target: Path) -> None:
    bad = bytearray(ZIP)
    bad[1000] ^= 1
    url = site.put(body=bytes(bad))
    assert_refused(target, url, SHA, hashlib.sha256(bad).hexdigest(), url)
    assert nothing_beside(target)
    assert len(site.requests) == 1


@pytest.mark.parametrize("body", [ZIP, as_tar(FILES)])
def test_a_flipped_byte_is_seen_without_a_hash_as_well(
    site: Site, target: Path, body: bytes
) -> None:
    bad = bytearray(body)
    bad[len(bad) // 2] ^= 1
    assert_refused(target, site.put(body=bytes(bad)), "damaged", sha256=None)
    assert nothing_beside(target)


def test_mirrors_are_tried_in_order(site: Site, target: Path) -> None:
    bad = site.put("/bad", body=as_zip({"a": b"x"}))
    gone = site.put("/gone", status=404)
    good = site.put("/good")
    never = site.put("/never")
    get(target, bad, mirrors=[gone, good, never])
    assert_complete(target)
    assert [path for path, _ in site.requests] == ["/bad", "/gone", "/good"]


def test_what_happened_at_each_address_is_listed(site: Site, target: Path) -> None:
    addresses = [
        site.put("/gone", status=404),
        site.put("/page", body=b"<!doctype html><p>Log in", kind="text/html; charset=utf-8"),
        site.put("/text", body=b"quota exceeded, try again later", kind="text/plain"),
        site.put("/none", body=b""),
        "kvasir.zip",
    ]
    message = assert_refused(target, addresses[0], "by hand", "dataset.url", mirrors=addresses[1:])
    lines = [line.strip() for line in message.splitlines()]
    assert f"{addresses[0]}: 404 Not Found" in lines
    assert f"{addresses[1]}: the server answered with a web page, not an archive" in lines
    assert any("not a zip or tar.gz archive, it begins with b'quota" in line for line in lines)
    assert f"{addresses[3]}: the server sent an empty file" in lines
    assert any(line.startswith("kvasir.zip: Invalid URL") for line in lines)
    assert nothing_beside(target)


def test_a_web_page_is_known_by_its_contents_too(site: Site, target: Path) -> None:
    assert_refused(target, site.put(body=b"\n <html>" + b" " * 10**5), "a web page")
    assert len(site.requests) == 1


def test_a_broken_server_is_asked_again_but_not_for_ever(site: Site, target: Path) -> None:
    assert_refused(target, site.put(status=500, body=b""), "500 Internal Server Error", retries=3)
    assert len(site.requests) == 3


def test_the_pauses_between_many_tries_stay_short(site: Site, target: Path) -> None:
    started = time.monotonic()
    assert_refused(target, site.put(status=503, body=b""), "503", retries=12)
    assert len(site.requests) == 12
    assert time.monotonic() - started < 5  # 2 ** 11 pauses would be 40 s


def test_a_refused_connection_is_reported(site: Site, target: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert_refused(target, f"http://127.0.0.1:{port}/set.zip", "refused")
    assert nothing_beside(target)


def test_an_unknown_host_is_reported(site: Site, target: Path) -> None:
    started = time.monotonic()
    assert_refused(target, "http://no-such-host.invalid/set.zip", "no such host", stall=5.0)
    assert time.monotonic() - started < 7


# ------------------------------------------------------------------------------- cut and stalled


def test_a_cut_download_continues_where_it_was_cut(site: Site, target: Path) -> None:
    get(target, site.put(cut_after=100_000, cuts=1))
    assert_complete(target)
    (_, first), (_, second) = site.requests
    assert first == 0
    assert 50_000 < second <= 100_000


def test_without_ranges_it_starts_anew(site: Site, target: Path) -> None:
    get(target, site.put(cut_after=100_000, cuts=1, ranges=False))
    assert_complete(target)
    assert len(site.requests) == 2


def test_a_connection_that_is_always_cut_is_given_up(site: Site, target: Path) -> None:
    url = site.put(cut_after=50_000, ranges=False)
    assert_refused(target, url, "cut", retries=3)
    assert len(site.requests) == 3


def test_cuts_after_headway_are_not_counted(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_HEADWAY", 15_000)
    get(target, site.put(cut_after=40_000), retries=2)
    assert_complete(target)
    assert len(site.requests) > 5


@pytest.mark.parametrize("body", [ZIP, as_tar(FILES)])
def test_an_archive_that_was_cut_in_silence_is_refused(
    site: Site, target: Path, body: bytes
) -> None:
    url = site.put(body=body[:-5000], length=False)  # no Content-Length, no hash
    assert_refused(target, url, "damaged or truncated", sha256=None)
    assert nothing_beside(target)


def test_fewer_bytes_than_announced_are_a_cut_even_if_urllib3_is_silent(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = transfer._reply

    def short(*args: object) -> Iterator:  # as of urllib3 1, for the first time
        monkeypatch.setattr(transfer, "_reply", reply)
        whole = reply(*args)
        yield next(whole)
        yield next(whole)

    monkeypatch.setattr(transfer, "_reply", short)
    get(target, site.put())
    assert_complete(target)
    assert [first for _, first in site.requests] == [0, transfer.CHUNK]


def test_a_file_that_changed_between_two_pieces_is_fetched_anew(site: Site, target: Path) -> None:
    other = bytes(100) + ZIP[100:-1] + b"x"
    get(target, site.put(bodies=[b"PK\x03\x04" + other[4:]], cut_after=100_000, cuts=1))
    assert_complete(target)
    assert [first == 0 for _, first in site.requests] == [True, False, True]


def test_a_part_that_is_longer_than_the_file_is_dropped(site: Site, target: Path) -> None:
    url = site.put()
    part = target.parent / ".Kvasir-SEG.download" / download._file_names(url)[0]
    part.parent.mkdir(parents=True)
    part.write_bytes(ZIP + b"more")
    get(target, url)
    assert_complete(target)
    assert [first for _, first in site.requests] == [len(ZIP) + 4, 0]


def test_a_part_that_is_whole_already_is_taken(site: Site, target: Path) -> None:
    url = site.put()
    part = target.parent / ".Kvasir-SEG.download" / download._file_names(url)[0]
    part.parent.mkdir(parents=True)
    part.write_bytes(ZIP)
    get(target, url)
    assert_complete(target)
    assert [first for _, first in site.requests] == [len(ZIP)]


@pytest.mark.parametrize(
    ("how", "words", "tries"),
    [
        ({"stall_after": -1}, "no answer within 0.3 s", 1),
        ({"drip_headers": True}, "no answer within 0.3 s", 1),
        ({"stall_after": 0}, "less than 16 KiB within 0.3 s", 1),
        ({"stall_after": 50_000}, "less than 16 KiB within 0.3 s", 2),
        ({"drip": 0.05, "piece": 1}, "less than 16 KiB within 0.3 s", 1),
        ({"drip": 0.05, "piece": 1, "chunked": True}, "less than 16 KiB within 0.3 s", 2),
    ],
)
def test_a_server_that_stalls_or_drips_is_given_up(
    site: Site, target: Path, how: dict, words: str, tries: int
) -> None:
    started = time.monotonic()
    assert_refused(target, site.put(**how), words, retries=20, stall=STALL)
    assert len(site.requests) == tries  # the time of each is lost: none for silent ones
    assert time.monotonic() - started < 5


def test_a_slow_but_steady_server_is_waited_for(site: Site, target: Path) -> None:
    get(target, site.put(drip=0.1, piece=20_000), stall=0.5)  # twice as long as a stall, in all
    assert_complete(target)


def test_a_download_that_stalled_continues_later(site: Site, target: Path) -> None:
    url = site.put(stall_after=100_000)
    assert_refused(target, url, "stalled", retries=1, stall=STALL)
    site.put()  # the same address, well again
    get(target, url)
    assert_complete(target)
    assert site.requests[-1][1] > 50_000


# ------------------------------------------------------------------------------- killed, at once

CHILD = """
import shutil, sys, time
from pathlib import Path
from seg.preparation.download import fetch
url, sha256, folder, slow = sys.argv[1:]
if slow == "unpacking":
    usage = shutil.disk_usage

    def slowly(path):  # called before every file
        time.sleep(0.3 if "unpacked" in str(path) else 0)
        return usage(path)

    shutil.disk_usage = slowly
has_layout = lambda p: (p / "images").is_dir() and (p / "masks").is_dir()
fetch(url=url, sha256=sha256, mirrors=[], folder=Path(folder), has_layout=has_layout)
"""


def start(url: str, folder: Path, slow: str = "") -> subprocess.Popen:
    env = os.environ | {"no_proxy": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHILD, url, SHA, str(folder), slow]
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    limit = time.monotonic() + 20
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < limit
        time.sleep(0.01)


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()


def test_killed_in_the_download_the_same_command_goes_on(site: Site, target: Path) -> None:
    url = site.put(drip=0.1)
    process = start(url, target)
    work = target.parent / ".Kvasir-SEG.download"
    wait_for(lambda: any(p.stat().st_size > 50_000 for p in work.glob("*.part")), process)
    kill(process)
    assert not target.exists()
    site.put()
    get(target, url)
    assert_complete(target)
    assert site.requests[-1][1] > 40_000


def test_killed_in_the_unpacking_the_same_command_needs_no_network(
    site: Site, target: Path
) -> None:
    url = site.put()
    process = start(url, target, "unpacking")
    unpacked = target.parent / ".Kvasir-SEG.download" / "unpacked"
    wait_for(lambda: len(list(unpacked.rglob("*.jpg"))) >= 2, process)
    kill(process)
    assert not target.exists()
    assert unpacked.exists()
    site.put(status=404)
    get(target, url)
    assert_complete(target)
    assert len(site.requests) == 1


def test_an_archive_damaged_since_the_kill_is_fetched_again(site: Site, target: Path) -> None:
    url = site.put()
    archive = target.parent / ".Kvasir-SEG.download" / download._file_names(url)[1]
    archive.parent.mkdir(parents=True)
    archive.write_bytes(ZIP[:-1] + b"x")
    (archive.parent / "stray").touch()
    get(target, url)
    assert_complete(target)
    assert len(site.requests) == 1


def test_two_processes_at_once_both_succeed_with_one_download(site: Site, target: Path) -> None:
    url = site.put(drip=0.05)
    processes = [start(url, target) for _ in range(3)]
    for process in processes:
        _, problems = process.communicate(timeout=30)
        assert process.returncode == 0, problems
    assert_complete(target)
    assert len(site.requests) == 1


def test_a_waiting_process_continues_when_the_first_is_killed(site: Site, target: Path) -> None:
    url = site.put(drip=0.1)
    first = start(url, target)
    work = target.parent / ".Kvasir-SEG.download"
    wait_for(lambda: any(p.stat().st_size > 30_000 for p in work.glob("*.part")), first)
    waiting = threading.Thread(target=get, args=(target, url), kwargs={"stall": 5.0})
    waiting.start()
    time.sleep(0.2)
    assert len(site.requests) == 1
    site.put()
    kill(first)
    waiting.join(timeout=10)
    assert_complete(target)


@pytest.mark.parametrize("reason", ["no fcntl", "no locks on the drive"])
def test_without_locks_the_second_drops_its_own(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "no fcntl":
        monkeypatch.setattr(placing, "fcntl", None)
    else:

        def refuse(*args: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(placing.fcntl, "flock", refuse)
    url = site.put()
    unpack = download.unpack

    def overtaken(*args: Path) -> None:
        unpack(*args)
        monkeypatch.setattr(download, "unpack", unpack)
        get(target, url)  # another process is done first

    monkeypatch.setattr(download, "unpack", overtaken)
    assert get(target, url) == target
    assert_complete(target)


def test_a_removed_lock_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    with placing.work_folder(folder) as work:
        stale = os.open(work / placing.LOCK, os.O_RDWR)
    order = []

    def second() -> None:
        with placing.work_folder(folder):
            order.append("second")

    with placing.work_folder(folder):  # a new lock: that of `stale` says nothing any more
        placing.fcntl.flock(stale, placing.fcntl.LOCK_EX | placing.fcntl.LOCK_NB)
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    os.close(stale)
    assert order == ["first", "second"]
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------- hostile, full disk


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/seg-escaped", "C:\\escaped"])
def test_a_hostile_member_is_named_and_nothing_is_outside(
    site: Site, target: Path, tmp_path: Path, name: str
) -> None:
    body = as_tar(FILES | {name: b"harm"}, top="")
    sha256 = hashlib.sha256(body).hexdigest()
    url = site.put(body=body)
    assert_refused(target, url, repr(name), url, sha256=sha256)
    assert nothing_beside(target)
    assert not (tmp_path / "escaped").exists()
    assert not Path("/tmp/seg-escaped").exists()


def test_a_full_disk_is_reported_and_the_archive_kept(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = site.put()

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(download, "unpack", full)
        with pytest.raises(OSError, match=r"data: the disk is full"):
            get(target, url)
    assert not target.exists()
    site.put(status=404)
    get(target, url)
    assert_complete(target)


def test_more_than_the_free_space_is_not_downloaded(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = transfer.shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"0\.2 MB"):
        get(target, site.put())
    assert nothing_beside(target)
