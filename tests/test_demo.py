"""The page of seg.demo in a browser: the masks of seg.predict, and no request to another host."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import seg
from seg.demo import name_of
from tests.browser import CHROMIUM, Browser
from tests.commands import environment_of
from tests.conftest import TINY, write_folder

SMALL = [line for line in TINY if line.startswith(("dataset.image", "model", "trainer"))]
OPTIONS = ["dataset=folder", "dataset.split.val=3", "dataset.split.test=3", "trainer=cpu", *SMALL]
DONE = "document.getElementById('status').textContent === ''"


def test_an_ensemble_is_named_by_what_differs() -> None:
    one, two = Path("/runs/a/checkpoints/best.ckpt"), Path("/runs/b/checkpoints/best.ckpt")
    assert name_of([one]) == str(one)
    named = name_of([one, two])
    assert named.count("/runs") == 1
    assert "a/checkpoints/best.ckpt, b/checkpoints/best.ckpt" in named


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_folder(tmp_path / "set", count=12)
    places = [f"dataset.root={tmp_path / 'set'}", f"output_dir={tmp_path / 'outputs'}"]
    return seg.train.train(seg.compose([*OPTIONS, *places])).run.path


@pytest.fixture
def server(run: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "seg.demo", f"run={run}", "port=0", "device=cpu"],
        stderr=subprocess.PIPE, text=True, env=environment_of(TMPDIR=str(tmp_path / "tmp")),
    )  # fmt: skip
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            yield process, found[0]
            break
    else:
        pytest.fail("".join(lines))
    if process.poll() is None:
        process.kill()
    process.wait()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_gives_the_masks_of_a_prediction(run: Path, server, tmp_path: Path) -> None:
    process, address = server
    good, bad = tmp_path / "set" / "images" / "case_1.png", tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    lines = [f"run={run}", f"input={good}", "trainer.accelerator=cpu"]
    for name, more in [("own", []), ("low", ["threshold=0.2"])]:
        cfg = seg.compose([*lines, f"output={tmp_path / name}", *more], command="predict")
        seg.predict.predict(cfg)
    with Browser() as page:
        page.open(address)
        page.give("#files", [good, bad])
        page.wait(f"!document.getElementById('result').hidden && {DONE}")
        link = "document.getElementById('masks').getAttribute('href')"
        own = page.fetch(page.evaluate(link))
        page.resize(width=400, height=900)
        parts = "[...document.querySelectorAll('.scroll, body')]"
        assert not page.evaluate(f"{parts}.some(e => e.scrollWidth > e.clientWidth)")
        page.resize(width=1440, height=900)
        page.evaluate("(s => { s.value = .2; s.oninput(); })(document.querySelector('.threshold'))")
        page.wait(f"{link}.includes('=0.2') && {DONE}")
        low = page.fetch(page.evaluate(link))
        page.evaluate("document.querySelectorAll('#images button')[1].click()")
        page.wait("document.getElementById('refused').innerText.startsWith('bad.png: ')")
        page.evaluate("document.querySelectorAll('#images button')[0].click()")
        page.wait(f"!document.getElementById('result').hidden && {DONE}")
        assert page.errors == []
        hosts = {urlsplit(url).netloc for url in page.requests if not url.startswith("data:")}
        assert hosts == {urlsplit(address).netloc}
    assert own == (tmp_path / "own" / "case_1.png").read_bytes()
    assert low == (tmp_path / "low" / "case_1.png").read_bytes()
    assert own != low
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stderr.read() == "stopped\n"
    assert list((tmp_path / "tmp").glob("seg-demo-*")) == []
