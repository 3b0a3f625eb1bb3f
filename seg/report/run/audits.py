"""The audit that seg.prepare made of the same files, if one lies where it writes them."""

import json
from pathlib import Path
from typing import Any

from seg.runs import split_table
from seg.runs.split_table import SplitTable

TRIED = 40  # the newest ones


def find(run: Path, allocation: SplitTable) -> dict[str, Any] | None:
    """The newest audit.json below `prepare`, beside the runs, whose images and masks are those of
    the run, by their digests; its split may be another.
    """
    roots = [
        run.parent.parent / "prepare",
        run.parent.parent.parent / "prepare",
    ]  # of a sweep's job
    places = sorted((p for root in roots for p in root.glob("*/*/audit.json")), reverse=True,
                    key=lambda p: p.parent.name)  # fmt: skip
    for path in places[:TRIED]:
        try:
            if split_table.read(path.with_name("split.csv")).digests != allocation.digests:
                continue
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # not sound, so not of this run
        if _is_audit(content):
            return content
    return None


def _is_audit(content: Any) -> bool:
    """Whether what a report reads of it has the form that seg.prepare gives it."""
    if not isinstance(content, dict):
        return False
    pairs, spans = content.get("near_duplicates"), [content.get(k) for k in ("width", "height")]
    findings = [content.get(k) for k in ("warnings", "errors")]
    return (
        isinstance(pairs, list)
        and all(isinstance(p, list) and list(map(type, p)) == [str, str] for p in pairs)
        and all(isinstance(found, list) for found in findings)
        and all(isinstance(f, dict) and "text" in f for found in findings for f in found)
        and all(span is None or _is_span(span) for span in spans)
    )


def _is_span(span: Any) -> bool:
    ends = [span.get(key) for key in ("min", "median", "max")] if isinstance(span, dict) else [None]
    return all(isinstance(end, int | float) for end in ends)
