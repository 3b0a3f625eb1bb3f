"""Unpacking: plain files below one folder, or a DataError and nothing at all."""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seg.data.errors import DataError
from seg.preparation.download import unpacking
from seg.preparation.download.unpacking import kind, unpack

SOUND = {"set/images/a.jpg": b"first image", "set/masks/a.jpg": b"its mask", "set/notes.txt": b""}


def write_zip(path: Path, members: dict[str, bytes], *, mode: int | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is: the constructor would change it
            info.compress_type = zipfile.ZIP_DEFLATED
            if mode is not None and name == list(members)[-1]:
                info.external_attr = mode << 16
            archive.writestr(info, data)
    return path


def write_tar(path: Path, members: dict[str, bytes | tarfile.TarInfo], level: int = 9) -> Path:
    with gzip.open(path, "wb", level) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


WRITERS = {"zip": write_zip, "tar.gz": write_tar}


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dict], Path]:
    """Writes the members into `archive` in the test's folder, as zip and as tar.gz."""
    return lambda members: WRITERS[request.param](tmp_path / "archive", members)


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def assert_refused(archive: Path, *, names: str) -> None:
    """`names` is in the message, and nothing is there but the archive."""
    folder = archive.parent / "inner" / "out"
    folder.parent.mkdir()
    before = {p.resolve() for p in archive.parent.rglob("*")}
    with pytest.raises(DataError) as caught:
        unpack(archive, folder)
    assert names in str(caught.value)
    assert str(archive) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert {p.resolve() for p in archive.parent.rglob("*")} == before


def link(name: str, to: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def test_every_file_comes_out_as_it_went_in(write: Callable, tmp_path: Path) -> None:
    unpack(write(SOUND), tmp_path / "out")
    assert files(tmp_path / "out") == SOUND


def test_files_get_the_permissions_of_new_files(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a": b"x"}, mode=stat.S_IFREG | 0o4777)
    unpack(archive, tmp_path / "out")
    (tmp_path / "new").touch()
    assert (tmp_path / "out/a").stat().st_mode == (tmp_path / "new").stat().st_mode


def test_what_macos_adds_is_left_out(write: Callable, tmp_path: Path) -> None:
    junk = {"__MACOSX/set/._a.jpg": b"x", "set/.DS_Store": b"x", "set/images/._a.jpg": b"x"}
    unpack(write(SOUND | junk), tmp_path / "out")
    assert files(tmp_path / "out") == SOUND
    assert not (tmp_path / "out/__MACOSX").exists()


def test_members_with_a_leading_dot_folder_are_plain(write: Callable, tmp_path: Path) -> None:
    unpack(write({f"./{name}": data for name, data in SOUND.items()}), tmp_path / "out")
    assert files(tmp_path / "out") == SOUND


@pytest.mark.parametrize(
    "name",
    [
        "../escaped",
        "set/../../escaped",
        "/tmp/seg-escaped",
        "//tmp/seg-escaped",
        "C:/escaped",
        "c:escaped",
        "..\\escaped",
        "set\\..\\..\\escaped",
        "\\\\host\\share\\escaped",
    ],
)
def test_a_member_that_leads_out_is_refused(write: Callable, name: str) -> None:
    assert_refused(write(SOUND | {name: b"harm"}), names=repr(name))
    assert not Path("/tmp/seg-escaped").exists()


@pytest.mark.parametrize("to", ["/etc/passwd", "../..", "images/a.jpg"])
@pytest.mark.parametrize("of", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar_are_refused_wherever_they_lead(tmp_path: Path, to: str, of: bytes) -> None:
    archive = write_tar(tmp_path / "a.tar.gz", SOUND | {"set/link": link("set/link", to, of)})
    assert_refused(archive, names="'set/link' is a link")


def test_a_link_and_then_a_write_through_it_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    members = {"way": link("way", str(outside), tarfile.SYMTYPE), "way/kept": b"overwritten"}
    assert_refused(write_tar(tmp_path / "a.tar.gz", members), names="'way' is a link")
    assert (outside / "kept").read_text() == "kept"


@pytest.mark.parametrize(
    ("mode", "what"),
    [(stat.S_IFLNK, "a link"), (stat.S_IFCHR, "a device"), (stat.S_IFIFO, "a device or pipe")],
)
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, mode: int, what: str) -> None:
    archive = write_zip(tmp_path / "a.zip", SOUND | {"odd": b"/etc/passwd"}, mode=mode | 0o777)
    assert_refused(archive, names=f"'odd' is {what}")


@pytest.mark.parametrize("of", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_in_a_tar_are_refused(tmp_path: Path, of: bytes) -> None:
    archive = write_tar(tmp_path / "a.tar.gz", SOUND | {"odd": link("odd", "", of)})
    assert_refused(archive, names="'odd' is a device or pipe")


@pytest.mark.parametrize("other", ["set/images/A.JPG", "set/Images/a.jpg", "set/./images/a.jpg"])
def test_names_that_differ_only_in_case_are_refused(write: Callable, other: str) -> None:
    assert_refused(write(SOUND | {other: b"other"}), names=repr(other))


def test_one_name_in_two_spellings_of_unicode_is_refused(write: Callable) -> None:
    assert_refused(write({"caf\u00e9": b"1", "cafe\u0301": b"2"}), names="is there twice")


def test_a_file_that_is_a_folder_as_well_is_refused(write: Callable) -> None:
    assert_refused(write({"a": b"1", "a/b": b"2"}), names="damaged")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(write_zip(tmp_path / "a.zip", {"secret": b"x"}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert_refused(tmp_path / "a.zip", names="'secret' is encrypted")


@pytest.fixture
def small_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "BOMB_BYTES", 10**6)


@pytest.mark.usefixtures("small_bombs")
def test_a_bomb_is_refused_and_mere_compression_is_not(write: Callable, tmp_path: Path) -> None:
    members = {f"{i}": bytes(400_000) for i in range(2)}
    unpack(write(members), tmp_path / "below the bound")
    noise = os.urandom(40_000)  # 3 MB, but not a hundredfold
    unpack(write({"noise": noise, "zeros": bytes(3_000_000)}), tmp_path / "below the ratio")
    assert_refused(write({f"{i}": bytes(400_000) for i in range(4)}), names="zip bomb")


@pytest.mark.usefixtures("small_bombs")
def test_the_bytes_that_are_written_count_and_not_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = unpacking._zip_members

    def lying(file: io.BufferedReader) -> list[unpacking.Member]:
        with zipfile.ZipFile(file):  # a reader that would believe in "1 byte", and give all
            return [m._replace(size=1, open=lambda: io.BytesIO(bytes(5_000_000))) for m in kept]

    archive = write_zip(tmp_path / "a.zip", {"a": b"x"})
    kept = list(members(archive.open("rb")))
    monkeypatch.setattr(unpacking, "_zip_members", lying)
    assert_refused(archive, names="zip bomb")


@pytest.mark.usefixtures("small_bombs")
def test_a_member_that_would_pass_the_bound_is_not_begun(
    write: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_BLOCK", 0)  # nothing can be read
    assert_refused(write({"a": bytes(2_000_000)}), names="zip bomb")


def test_a_zip_whose_header_says_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a": bytes(50_000)})
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, 10)
    archive.write_bytes(data)
    assert_refused(archive, names="damaged or truncated")


@pytest.mark.usefixtures("small_bombs")
def test_a_tar_whose_bytes_lie_in_its_headers_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * 4_000_000}  # tarfile reads it into memory
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info)
    assert_refused(archive, names="zip bomb")


def test_an_archive_of_endlessly_many_members_is_refused(
    write: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 5)
    assert_refused(write({f"{i}": b"" for i in range(6)}), names="more than 5 members")


def test_more_than_the_free_disk_space_is_not_begun(
    write: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = unpacking.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="free"):
        unpack(write({"a": os.urandom(2000)}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.999, 0.5, 0.01])
def test_a_truncated_archive_is_refused(write: Callable, share: float) -> None:
    archive = write({f"{i}": os.urandom(5000) for i in range(20)})
    data = archive.read_bytes()
    archive.write_bytes(data[: int(share * len(data))])
    assert_refused(archive, names="damaged or truncated")


@pytest.mark.parametrize("of", WRITERS)
def test_a_flipped_byte_in_the_last_file_is_seen(of: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    content = bytes(range(256)) * 40
    if of == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as z:
            z.writestr("a", content)
    else:
        write_tar(archive, {"a": content}, level=0)
    data = bytearray(archive.read_bytes())
    data[data.index(content[:300]) + 200] ^= 1
    archive.write_bytes(data)
    assert_refused(archive, names="damaged")


@pytest.mark.parametrize("data", [b"", b"PK", b"<html>", b"\x1f\x8b", b"PK\x03\x04", b"x" * 500])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    assert_refused(tmp_path / "a.zip", names="a.zip")


def test_a_member_with_an_overlong_name_is_refused(write: Callable) -> None:
    assert_refused(write({"x" * 300: b""}), names="damaged")


def test_an_interruption_leaves_nothing(
    write: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(parts: tuple) -> bool:
        if parts[-1] == "notes.txt":
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(unpacking, "_is_junk", interrupt)
    with pytest.raises(KeyboardInterrupt):
        unpack(write(SOUND), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_kind_is_told_by_the_first_bytes(tmp_path: Path) -> None:
    assert kind(write_zip(tmp_path / "a", SOUND).read_bytes()[:4]) == "zip"
    assert kind(write_zip(tmp_path / "b", {}).read_bytes()[:4]) == "zip"
    assert kind(write_tar(tmp_path / "c", SOUND).read_bytes()[:4]) == "tar.gz"
    assert kind(b"<!DO") is None
    assert kind(b"") is None
