"""The audit in the terminal: its figures and their order."""

import re
from io import StringIO
from pathlib import Path

from rich.console import Console

from seg.data.pairs import MaskFile, Pair
from seg.preparation.audit.facts import CaseFacts, Fault
from seg.report.audit import contact_sheet, distributions, show
from seg.report.audit.console import WIDTH

from .sets import audited, emptied, facts_of


def _shown(audit: dict, **options: object) -> str:
    console = Console(file=StringIO(), **options)
    show(audit, console)
    return console.file.getvalue()


def test_a_clean_set_is_one_screen_of_its_figures() -> None:
    audit = audited(facts_of(30), splits=["train"] * 20 + ["val"] * 4 + ["test"] * 6)
    shown = _shown(audit)
    assert len(shown.splitlines()) <= 40
    assert max(map(len, shown.splitlines())) <= WIDTH
    for figure in (
        "30 images in 15 groups (2 each)",
        "train 20 (10 groups); val 4 (2 groups); test 6 (3 groups)",
        "100 to 129, median 114; 30 different sizes",
        "PNG 8-bit RGB, all",
        "255 (",
        "organ",
        "1 to 30, median 16 % of an image",
        "0 of 30",
    ):
        assert figure in shown
    assert "error" not in shown
    assert "warning" not in shown


def test_errors_come_before_warnings_with_three_files_and_the_number_of_others() -> None:
    facts = emptied(facts_of(30), *range(6, 11))
    for i in range(5):
        facts[i].faults.append(
            Fault(
                "unreadable", facts[i].pair.image, f"{facts[i].pair.image}: damaged; copy it again"
            )
        )
    shown = " ".join(_shown(audited(facts)).split())
    assert shown.index("1 error") < shown.index("5 files") < shown.index("1 warning")
    assert "images/c0.png: damaged; copy it again" in shown
    assert re.search(r"\[c0\.png, c1\.png, c2\.png, .*2 .*audit\.json", shown)
    assert re.search(r"5 masks .*17 %\) \[c6\.png, c7\.png, c8\.png, .*2 .*audit\.json", shown)


def test_names_with_brackets_are_printed_as_they_are() -> None:
    facts = facts_of(30)
    facts[3].faults.append(
        Fault("unreadable", facts[3].pair.image, "images/[bold]x[/].png: damaged")
    )
    assert "images/[bold]x[/].png: damaged" in _shown(audited(facts))


def test_the_callers_console_keeps_its_width() -> None:
    console = Console(file=StringIO(), width=61)
    show(audited(facts_of()), console)
    assert console.width == 61


def test_a_set_without_facts_is_shown_and_drawn(tmp_path: Path) -> None:
    facts = [
        CaseFacts(Pair(f"c{i}", (Path(f"c{i}"),), (MaskFile(Path(f"m{i}")),), f"c{i}"), faults=[
            Fault("unreadable", Path(f"c{i}"), f"c{i}: empty file")
        ]) for i in range(12)
    ]  # fmt: skip
    audit = audited(facts)
    assert "12 files cannot be read" in _shown(audit)
    sheet = tmp_path / "sheet.png"
    assert len(contact_sheet(audit, lambda i: (None, None), sheet)) == 12
    assert sheet.is_file()
    assert distributions(audit, tmp_path / "d.png") == []
