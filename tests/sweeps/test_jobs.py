"""Which jobs of a sweep are done."""

from pathlib import Path

import pytest

from seg.runs.folder import RunFolder
from seg.sweeps.jobs import ENDED, is_done


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"seed": 1}'])
def test_a_run_json_that_says_nothing_has_not_ended(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    assert RunFolder(tmp_path).status not in ENDED
    assert not is_done(tmp_path)


@pytest.mark.parametrize(
    ("status", "done"),
    [("finished", True), ("pruned", True), ("failed", False), ("interrupted", False),
     ("running", False)],
)  # fmt: skip
def test_only_what_came_to_its_end_is_done(tmp_path: Path, status: str, done: bool) -> None:
    (tmp_path / "run.json").write_text(f'{{"status": "{status}"}}')
    assert is_done(tmp_path) is done
