"""The audit in the terminal: a table, then errors, then warnings."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN_FILES, SHOWN_FINDINGS, SHOWN_VALUES = 3, 12, 8
WIDTH = 100  # where there is no terminal


def show(audit: dict, console: Console) -> None:
    """Print the audit that `seg.preparation.audit.summarize` returns."""
    width = console.width
    console.width = width if console.is_terminal else WIDTH
    try:
        _print(audit, console)
    finally:
        console.width = width


def _print(audit: dict, console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for key, value in _rows(audit):
        table.add_row(key, Text(value))
    console.print(table)
    for key, style, verdict in (
        ("errors", "bold red", "training would refuse"),
        ("warnings", "bold yellow", "have a look"),
    ):
        findings = audit[key]
        if not findings:
            continue
        name = key if len(findings) > 1 else key.removesuffix("s")
        console.print(Text(f"\n{len(findings)} {name}: {verdict}", style=style))
        for finding in findings[:SHOWN_FINDINGS]:
            line = Table.grid(padding=(0, 1))
            text = Text.assemble(finding["text"], _files(finding, audit))
            line.add_row(Text(" -", style=style), text)
            console.print(line)
        if len(findings) > SHOWN_FINDINGS:
            console.print(Text(f" - and {len(findings) - SHOWN_FINDINGS} more (audit.json)"))
    if not audit["errors"] and not audit["warnings"]:
        console.print(Text("\nnothing to complain of", style="bold green"))


def _files(finding: dict, audit: dict) -> tuple[str, str]:
    """Up to three names, without their folders; none where the text names it or all have it."""
    files = finding["files"]
    if not files or len(finding["cases"]) == audit["count"] or finding["text"].startswith(files[0]):
        return "", "dim"
    names = [_short(file) for file in files[:SHOWN_FILES]]
    more = f", and {len(files) - SHOWN_FILES} more (audit.json)" if len(files) > SHOWN_FILES else ""
    return f"  [{', '.join(names)}{more}]", "dim"


def _short(file: str) -> str:
    """A file's name, or a pair of names; with their folders where these alone differ."""
    paths = file.split(" = ")
    names = [Path(path).name for path in paths]
    return " = ".join(names if len(set(names)) == len(paths) else paths)


def _rows(audit: dict) -> Iterator[tuple[str, str]]:
    groups, count = audit["groups"], audit["count"]
    cases = f"{count} images"
    if groups and groups["count"] < count:
        each = _range(groups, "{:.0f}")
        cases += f" in {groups['count']} groups ({each} each)"
    yield "cases", cases
    if audit["splits"]:
        parts = [
            f"{name} {s['cases']}"
            + (f" ({s['groups']} groups)" if s["groups"] < s["cases"] else "")
            + (f", {s['empty']} empty" if s["empty"] else "")
            for name, s in audit["splits"].items()
        ]
        yield "splits", "; ".join(parts)
    if audit["width"]:
        sizes = {tuple(case["size"]) for case in audit["cases"] if case["size"]}
        if len(sizes) == 1:
            height, width = next(iter(sizes))
            yield "size", f"{width} x {height}, all"
        else:
            yield "width", _range(audit["width"], "{:.0f}") + f"; {len(sizes)} different sizes"
            yield "height", _range(audit["height"], "{:.0f}")
    if audit["spacing"]:
        yield "spacing", " by ".join(_range(axis, "{:.3g}") for axis in audit["spacing"]) + " mm"
    yield "images", _kinds(audit["kinds"], count)
    yield "masks", _kinds(audit["mask_kinds"], count)
    if audit["intensity"]:
        yield "brightness", _range(audit["intensity"]["means"], "{:.0f}") + " of 255"
    yield from _mask_rows(audit)
    equal, near = audit["duplicates"], audit["near_duplicates"]
    group = {case["case"]: case["group"] for case in audit["cases"]}
    between = sum(group[a] != group[b] for a, b in near)
    alike = f", {len(near)} alike ({between} between groups)" if near else ""
    yield "duplicates", f"{len(equal)} equal{alike}"


def _mask_rows(audit: dict) -> Iterator[tuple[str, str]]:
    if audit["values"]:
        shown = list(audit["values"].items())
        parts = [f"{key} ({percent(v['share'])})" for key, v in shown[:SHOWN_VALUES]]
        more = f", and {len(shown) - SHOWN_VALUES} more" if len(shown) > SHOWN_VALUES else ""
        yield "mask values", ", ".join(parts) + more
    if audit["greys"]:
        greys = "; ".join(f"{name} {percent(share)}" for name, share in audit["greys"].items())
        yield "JPEG masks", f"{audit['lossy']}: {greys}"
    total = sum(c["pixels"] for c in audit["classes"].values())
    if total:
        parts = [
            f"{name} {percent(c['pixels'] / total)} in {c['masks']} masks"
            for name, c in list(audit["classes"].items())[1:]
        ]
        more = f"; and {len(parts) - SHOWN_VALUES} more" if len(parts) > SHOWN_VALUES else ""
        yield "classes", "; ".join(parts[:SHOWN_VALUES]) + more
    if audit["foreground"]:
        share = {key: 100 * value for key, value in audit["foreground"].items()}
        of = "an image; empty masks apart" if audit["empty"] else "an image"
        yield "foreground", _range(share, "{:.2g}") + f" % of {of}"
        yield "objects", _range(audit["components"], "{:.0f}") + " connected parts in a mask"
    full = f"; full {audit['full']}" if audit["full"] else ""
    yield "empty masks", f"{audit['empty']} of {audit['masks']}{full}"


def _kinds(kinds: dict[str, int], count: int) -> str:
    if len(kinds) == 1:
        return f"{next(iter(kinds))}, all"
    parts = [f"{kind} {n}" for kind, n in list(kinds.items())[:4]]
    return ", ".join(parts) + (f", and {len(kinds) - 4} more kinds" if len(kinds) > 4 else "")


def _range(spread: dict, form: str) -> str:
    low, median, high = (form.format(spread[key]) for key in ("min", "median", "max"))
    return low if low == high else f"{low} to {high}, median {median}"


def percent(share: float) -> str:
    """A share in per cent, with a space before the sign."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.4g} %"
