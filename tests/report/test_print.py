"""The pages on paper."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.browser import CHROMIUM, Browser

CSS = Path("seg/report/templates/page.css")
WIDTH, HEIGHT = 1032, 703  # pixels of A4 across within its margins


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_picture_higher_than_a_page_is_made_to_fit_and_two_stand_side_by_side(
    tmp_path: Path,
) -> None:
    _, data = cv2.imencode(".png", np.zeros((1800, 1000, 3), np.uint8))
    picture = f'<img src="data:image/png;base64,{base64.b64encode(data.tobytes()).decode()}">'
    figure = f"<figure><figcaption>worst cases</figcaption>{picture}</figure>"
    page = tmp_path / "page.html"
    style = f"<style>{CSS.read_text()}</style>"
    page.write_text(f'{style}<main><div class="panels">{figure}{figure}</div></main>')
    with Browser(width=WIDTH, height=HEIGHT) as browser:
        browser.call("Emulation.setEmulatedMedia", media="print")
        browser.open(page.as_uri())
        sizes = browser.evaluate(
            "[...document.querySelectorAll('figure')].map(f => f.getBoundingClientRect())"
            ".map(r => [r.top, r.height])"
        )
    assert all(0 < height <= HEIGHT for _, height in sizes)
    assert sizes[0][0] == sizes[1][0]
