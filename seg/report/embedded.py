"""PNG files as part of a page."""

import base64
from pathlib import Path
from typing import NamedTuple

LARGEST = 8_000_000  # bytes of one file
BEGIN, END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


class Picture(NamedTuple):
    """A PNG: what is to be seen, and the bytes of the file."""

    title: str
    content: bytes

    @property
    def source(self) -> str:
        """The picture as the `src` of an <img>."""
        return f"data:image/png;base64,{base64.b64encode(self.content).decode('ascii')}"


def read(path: Path, title: str) -> Picture:
    """Read a PNG.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no complete PNG, or too large for a page; the message says which.
    """
    content = path.read_bytes()
    if not (content.startswith(BEGIN) and content.rstrip().endswith(END)):
        raise ValueError(f"{path.parent.name}/{path.name} is no whole PNG")
    if len(content) > LARGEST:
        size = len(content) / 1e6
        raise ValueError(f"{path.name} has {size:.0f} MB, too large for a page")
    return Picture(title, content)
