"""With what the run was made, as run.json has it."""

import math
from typing import Any

from seg.report.run.evidence import Evidence


def facts(evidence: Evidence) -> dict[str, Any]:
    """Names and values; None where run.json does not tell."""
    held = evidence.facts
    versions = held.get("versions")
    rows: dict[str, Any] = {
        "status": evidence.status,
        "started": held.get("started"),
        "took": _duration(held.get("seconds")),
        "processor time": _duration(held.get("cpu_seconds")),
        "device": held.get("device"),
        "seed": evidence.get("seed", held.get("seed")),
        "git commit": held.get("git_commit"),
    }
    if isinstance(versions, dict):
        rows |= {str(name): version for name, version in versions.items()}
    return rows


def _duration(seconds: Any) -> str | None:
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return None
    if seconds < 120:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
