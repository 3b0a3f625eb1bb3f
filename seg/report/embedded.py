"""The pictures that a search left in the sweep's folder, set into the page."""

import base64
from pathlib import Path

from seg.report.comparison.html import attribute, escaped

LARGEST = 4_000_000  # bytes of a picture
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def pictures(sweep: Path) -> str:
    """Every search_*.png as HTML; one that cannot be shown is named instead."""
    parts = []
    for path in sorted(sweep.glob("search_*.png")):
        title = path.stem.removeprefix("search_").replace("_", " ")
        try:
            content = path.read_bytes() if path.stat().st_size <= LARGEST else b""
        except OSError:
            content = b""
        if content.startswith(SIGNATURE):
            coded = base64.b64encode(content).decode("ascii")
            parts.append(
                f"<h3>{escaped(title)}</h3>"
                f'<img class="found" alt="{attribute(title)}" src="data:image/png;base64,{coded}">'
            )
        else:
            parts.append(f"<p>{escaped(path.name)} is no picture that can be shown here.</p>")
    return "".join(parts)
