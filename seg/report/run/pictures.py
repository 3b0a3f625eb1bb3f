"""The run's pictures, taken into the page as they are."""

import base64
from dataclasses import dataclass
from pathlib import Path

from seg.report.comparison.html import attribute, escaped
from seg.report.run.evidence import Evidence

LARGEST = 8_000_000  # bytes
BEGIN, END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
OF_EVALUATION = (
    ("pr_curve", "precision against recall"),
    ("reliability", "reliability of the probabilities"),
    ("confusion", "what each true class was called"),
)


@dataclass(frozen=True)
class Picture:
    """title: what is to be seen. content: of a PNG file."""

    title: str
    content: bytes


def panels(evidence: Evidence) -> list[Picture]:
    """Worst, median and best test cases, and the last validation cases that were drawn."""
    found = [
        (evidence.folder / "test_panels" / f"{kind}.png", f"test, {kind} cases")
        for kind in ("worst", "median", "best")
    ]
    drawn = sorted((evidence.folder / "panels").glob("epoch_*.png"))
    if drawn:
        epoch = drawn[-1].stem.removeprefix("epoch_").lstrip("0")
        found.append((drawn[-1], f"validation, after epoch {epoch}"))
    return _read(found, evidence)


def diagnostics(evidence: Evidence) -> list[Picture]:
    """What each evaluation drew of its probabilities and confusions."""
    return _read(
        [
            (result.folder / f"{stem}.png", f"{result.name}: {title}")
            for result in evidence.evaluations
            for stem, title in OF_EVALUATION
        ],
        evidence,
    )


def _read(wanted: list[tuple[Path, str]], evidence: Evidence) -> list[Picture]:
    found = []
    for path, title in wanted:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            evidence.problems.append(f"{path.name} cannot be read ({error.strerror})")
            continue
        if not (content.startswith(BEGIN) and content.rstrip().endswith(END)):
            evidence.problems.append(f"{path.parent.name}/{path.name} is no whole PNG")
        elif len(content) > LARGEST:
            size = len(content) / 1e6
            evidence.problems.append(f"{path.name} has {size:.0f} MB, too large for a page")
        else:
            found.append(Picture(title, content))
    return found


def shown(pictures: list[Picture], *, kind: str) -> str:
    """Figures with their captions. kind: a class of the page's style."""
    figures = [
        f"<figure><figcaption>{escaped(picture.title)}</figcaption>"
        f'<img alt="{attribute(picture.title)}" src="data:image/png;base64,'
        f'{base64.b64encode(picture.content).decode("ascii")}"></figure>'
        for picture in pictures
    ]
    return f'<div class="{kind}">{"".join(figures)}</div>' if figures else ""
