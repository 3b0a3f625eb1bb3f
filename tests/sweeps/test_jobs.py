"""A job's name and what is known of it."""

from pathlib import Path

import pytest

from seg.sweeps.jobs import folder_name, is_done, state


def test_a_folder_is_named_by_number_and_what_sets_the_job_apart() -> None:
    assert folder_name(3, ["optimizer=adam", "loss=bce"]) == "3_loss=bce,optimizer=adam"
    assert folder_name(0, []) == "0"


@pytest.mark.parametrize("value", ["/a/b", "{a: 1}", "'x y'", "${oc.env:HOME}", "..\\c", "ü" * 300])
def test_a_name_fits_a_file_system_and_hydras_grammar(value: str, tmp_path: Path) -> None:
    name = folder_name(3, [f"dataset.root={value}"])
    (tmp_path / name).mkdir()
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    assert not set("'\"${}\\/") & set(name)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"seed": 1}'])
def test_a_run_json_that_says_nothing_is_of_no_status(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    assert state(tmp_path) == {"status": None}


@pytest.mark.parametrize(
    ("status", "done"),
    [("finished", True), ("pruned", True), ("failed", False), ("interrupted", False),
     ("running", False)],
)  # fmt: skip
def test_only_what_came_to_its_end_is_done(tmp_path: Path, status: str, done: bool) -> None:
    (tmp_path / "run.json").write_text(f'{{"status": "{status}"}}')
    assert is_done(tmp_path) is done
