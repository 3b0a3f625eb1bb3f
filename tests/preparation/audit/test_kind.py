"""How a file is stored is told from its header."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from seg.preparation.audit.kind import kind_of


def test_kinds_say_how_a_file_is_stored(tmp_path: Path) -> None:
    deep = np.full((9, 9), 40000, np.uint16)
    files = {
        "a.png": (Image.new("1", (9, 9)), "PNG 1-bit"),
        "b.png": (Image.new("P", (9, 9)), "PNG palette"),
        "c.png": (Image.fromarray(deep), "PNG 16-bit grey"),
        "d.jpg": (Image.new("RGB", (9, 9)), "JPEG 8-bit RGB"),
        "e.tif": (Image.fromarray(deep), "TIFF 16-bit grey"),
        "f.png": (Image.new("RGBA", (9, 9)), "PNG 8-bit RGB + alpha"),
    }
    for name, (image, kind) in files.items():
        image.save(tmp_path / name)
        assert kind_of(tmp_path / name) == kind
    cv2.imwrite(str(tmp_path / "g.png"), np.full((9, 9, 3), 40000, np.uint16))
    assert kind_of(tmp_path / "g.png") == "PNG 16-bit RGB"
    (tmp_path / "h.png").write_bytes(b"text")
    assert kind_of(tmp_path / "h.png") == "PNG"
