"""Findings that training refuses."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from seg.preparation.audit.facts import GEOMETRY, UNPAIRED, UNREADABLE, VALUES, Fault
from seg.preparation.audit.findings import Context, are, counted, finding


def file_errors(c: Context, unpaired: Sequence[str]) -> Iterator[dict]:
    faults: dict[str, dict[str, tuple[int, Fault]]] = defaultdict(dict)
    for i, f in enumerate(c.facts):
        for fault in f.faults:
            if fault.kind == VALUES and c.discovered is not None and c.pixels[i] is not None:
                continue  # one finding below instead of one for every mask
            faults[fault.kind].setdefault(fault.text, (i, fault))
    if unpaired:
        yield _of_messages(UNPAIRED, "{} cannot be paired", "file", list(map(c.short, unpaired)))
    if c.discovered is not None:
        values = [0, *c.discovered.values()]
        listed = ", ".join(map(str, values))
        given = ", ".join(f"{name}: {value}" for name, value in c.discovered.items())
        yield finding(
            VALUES,
            f"the masks hold {listed}: give dataset.classes='{{{given}}}', with names of your own",
        )
    headlines = {
        UNREADABLE: ("{} cannot be read", "file"),
        GEOMETRY: ("{} of another size or orientation than the mask", "image"),
        VALUES: ("{} with values that are not the classes'", "mask"),
    }
    for kind, (headline, noun) in headlines.items():
        if found := list(faults[kind].values()):
            error = _of_messages(kind, headline, noun, [c.short(fault.text) for _, fault in found])
            error["files"] = [c.short(fault.file) for _, fault in found]
            error["cases"] = list(dict.fromkeys(i for i, _ in found))
            if kind == VALUES and c.rims:
                error["text"] += (
                    f"; {', '.join(c.rims)} seem to be soft rims: save the masks anew, resized "
                    "without interpolation"
                )
            yield error


def _of_messages(kind: str, headline: str, noun: str, messages: list[str]) -> dict:
    """One message stands for itself; of several, the first explains the headline."""
    if len(messages) == 1:
        return finding(kind, messages[0], details=messages)
    text = f"{headline.format(counted(len(messages), noun))}; the first: {messages[0]}"
    return finding(kind, text, details=messages)


def split_errors(c: Context) -> Iterator[dict]:
    if c.splits is None:
        return
    split_of: dict[str, set[str]] = defaultdict(set)
    for f, split in zip(c.facts, c.splits, strict=True):
        split_of[f.group].add(split)
    torn = {group for group, found in split_of.items() if len(found) > 1}
    if torn:
        cases = c.where(lambda f: f.group in torn)
        listed = ", ".join(sorted(torn)[:3]) + (", ..." if len(torn) > 3 else "")
        text = f"{are(len(torn), 'group')} in several splits ({listed}): fix the split"
        yield c.on_images("group in two splits", text, cases)
    apart = [(i, j) for i, j in c.equal if c.splits[i] != c.splits[j]]
    if apart:
        text = f"{are(len(apart), 'image')} again in another split: keep equal ones together"
        yield c.on_pairs("in two splits", text, apart)
