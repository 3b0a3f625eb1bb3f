"""Data sets by Kaggle's client, replaced by a fake here: no account, no network."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from seg.data.errors import DataError
from seg.preparation.download import fetch_kaggle

HANDLE = "mateuszbuda/lgg-mri-segmentation"


def has_layout(folder: Path) -> bool:
    return any(child.is_dir() for child in folder.glob("TCGA_*"))


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """Kagglehub's cache with the data twice, as in the real archive."""
    root = tmp_path / "cache"
    for at in ("kaggle_3m", "lgg-mri-segmentation/kaggle_3m"):
        for patient in ("TCGA_CS_1", "TCGA_DU_2"):
            (root / at / patient).mkdir(parents=True)
            (root / at / patient / f"{patient}_1.tif").write_bytes(f"{at} {patient}".encode())
        (root / at / "data.csv").write_text("Patient\n")
        (root / at / ".DS_Store").touch()
    return root


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, cached: Path) -> Callable:
    """Replace kagglehub by one with the given download function; returns the requested handles."""

    def install(download: Callable[[str], str] = lambda handle: str(cached)) -> list[str]:
        handles: list[str] = []

        def dataset_download(handle: str) -> str:
            handles.append(handle)
            return download(handle)

        fake = SimpleNamespace(dataset_download=dataset_download)
        monkeypatch.setitem(sys.modules, "kagglehub", fake)
        return handles

    return install


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def get(folder: Path) -> Path:
    return fetch_kaggle(handle=HANDLE, folder=folder, has_layout=has_layout)


def test_the_outer_one_of_two_copies_is_taken_and_the_cache_kept(
    client: Callable, cached: Path, tmp_path: Path
) -> None:
    handles, before = client(), files(cached)
    target = tmp_path / "data" / "kaggle_3m"
    assert get(target) == target
    assert handles == [HANDLE]
    assert files(target) == {
        "TCGA_CS_1/TCGA_CS_1_1.tif",
        "TCGA_DU_2/TCGA_DU_2_1.tif",
        "data.csv",
    }
    assert (target / "TCGA_CS_1/TCGA_CS_1_1.tif").read_bytes() == b"kaggle_3m TCGA_CS_1"
    assert files(cached) == before
    assert list(target.parent.iterdir()) == [target]


def test_data_that_are_there_need_no_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    (tmp_path / "TCGA_CS_1").mkdir()
    assert get(tmp_path) == tmp_path


def test_a_missing_client_says_the_extra_and_the_way_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ImportError) as caught:
        get(tmp_path / "set")
    for words in ("pip install 'seg-med[kaggle]'", f"kaggle.com/datasets/{HANDLE}", "dataset.root"):
        assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_kaggle_refuses_is_reported_with_its_page(client: Callable, tmp_path: Path) -> None:
    def refuse(handle: str) -> str:
        raise RuntimeError("403 Client Error.\nYou don't have permission")

    client(refuse)
    with pytest.raises(DataError, match=f"{HANDLE}: 403 "):
        get(tmp_path / "data" / "set")
    assert list((tmp_path / "data").iterdir()) == []


def test_another_layout_is_refused(client: Callable, tmp_path: Path) -> None:
    (tmp_path / "other" / "a").mkdir(parents=True)
    client(lambda handle: str(tmp_path / "other"))
    with pytest.raises(DataError, match="layout"):
        get(tmp_path / "data" / "set")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_copy_that_fails_leaves_nothing_that_looks_complete(
    client: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seg.preparation import download

    def fail(source: Path, target: Path, **options: object) -> None:
        (target / "TCGA_CS_1").mkdir(parents=True)
        raise KeyboardInterrupt

    client()
    monkeypatch.setattr(download.shutil, "copytree", fail)
    with pytest.raises(KeyboardInterrupt):
        get(tmp_path / "data" / "set")
    assert list((tmp_path / "data").iterdir()) == []
    monkeypatch.undo()
