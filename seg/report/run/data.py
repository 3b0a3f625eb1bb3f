"""What is known of the data: the split of the run, and seg.prepare's audit where there is one."""

from typing import Any

from seg.data.split.draw import SPLITS
from seg.report.run import text
from seg.report.run.caveats.caveat import counted
from seg.report.run.evidence import Evidence

WARNINGS = 12


def facts(evidence: Evidence) -> dict[str, Any]:
    """Names and values; None where nothing tells."""
    known = evidence.allocation
    size = evidence.get("dataset.image_size")
    rows: dict[str, Any] = {
        "data set": text.data_name(evidence),
        "classes": ", ".join(text.class_names(evidence)) or None,
        "size in training": _side(size),
    }
    for split in SPLITS:
        rows[f"{split} split"] = None if known is None else _counts(evidence, split)
    if known is not None:
        rows["groups"] = "known" if known.grouped else "unknown: every file is one of its own"
        rows["split fingerprint"] = known.fingerprint
        rows["byte-equal images"] = counted(len(known.equal), "pair") + (
            f", {len(known.parted)} of them in two splits" if known.parted else ""
        )
    split = evidence.get("dataset.split")
    rows["split drawn"] = _drawn(split) if isinstance(split, dict) else None
    if evidence.audit is not None:
        rows |= _audited(evidence.audit)
    return rows


def _side(size: Any) -> str | None:
    if isinstance(size, int):
        return f"{size}x{size}"
    return "x".join(map(str, size)) if isinstance(size, list) else None


def _counts(evidence: Evidence, split: str) -> str:
    known = evidence.allocation
    if known is None:
        return text.UNSTATED
    count = counted(known.cases[split], "case")
    return f"{count}, {counted(known.groups[split], 'group')}" if known.grouped else count


def _drawn(split: dict[str, Any]) -> str | None:
    if not split:
        return None
    if split.get("file"):
        return f"given: {split['file']}"
    how = f"by {split.get('by')}, seed {split.get('seed')}"
    if split.get("fold") is not None:
        return f"{how}, fold {split['fold']} of {split.get('folds')}"
    return f"{how}, val {split.get('val')}, test {split.get('test')}"


def _audited(audit: dict[str, Any]) -> dict[str, Any]:
    def ends(name: str) -> str | None:
        found = audit.get(name)
        if found is None:
            return None
        if found["min"] == found["max"]:
            return f"{found['min']:g}, all of them"
        return f"{found['min']:g} to {found['max']:g}, median {found['median']:g}"

    masks, empty = audit.get("masks"), audit.get("empty")
    return {
        "width of the images": ends("width"),
        "height of the images": ends("height"),
        "empty masks": None if empty is None or not masks else f"{empty} of {masks}",
        "near-duplicates": counted(len(audit["near_duplicates"]), "pair"),
    }


def warnings(evidence: Evidence) -> list[str]:
    """What the audit thought worth a look, a line each."""
    said = [str(warning["text"]) for warning in (evidence.audit or {}).get("warnings", [])]
    more = len(said) - WARNINGS
    return said[:WARNINGS] + ([f"and {more} more, in audit.json"] if more > 0 else [])
