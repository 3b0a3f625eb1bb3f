"""An error is one short message and an exit status."""

import logging

import pytest

from seg.cli.console import report, set_up_logging


@pytest.mark.parametrize(
    ("error", "status", "named"),
    [
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (ValueError("dataset.root: no data"), 1, ["dataset.root: no data"]),
        (FileNotFoundError(2, "No such file", "a/b.png"), 1, ["a/b.png", "No such file"]),
        (ImportError("needs onnx"), 1, ["needs onnx"]),
        (KeyError("width"), 1, ["KeyError", "width", "HYDRA_FULL_ERROR=1"]),
        (RuntimeError(), 1, ["RuntimeError"]),
    ],
)
def test_an_error_is_one_message_and_a_status(
    error: BaseException, status: int, named: list[str],
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    assert report(error) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(word in shown.err for word in named)
    assert "Traceback" not in shown.err


def test_ctrl_c_tells_what_is_saved_and_how_to_go_on(capsys: pytest.CaptureFixture) -> None:
    assert report(KeyboardInterrupt("3 epochs are saved"), go_on="go on with: x") == 130
    assert capsys.readouterr().err == "interrupted: 3 epochs are saved\ngo on with: x\n"


@pytest.mark.parametrize(("first", "status"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_an_interrupt_keeps_its_status_behind_the_error_that_a_library_makes_of_it(
    first: BaseException, status: int
) -> None:
    error = RuntimeError("unexpected pos 640 vs 546")
    error.__context__ = first
    assert report(error) == status


def test_a_long_message_is_cut(capsys: pytest.CaptureFixture) -> None:
    assert report(ValueError("\n".join(f"line {i}" for i in range(100)))) == 1
    assert len(capsys.readouterr().err.splitlines()) < 20


def test_a_pruned_run_is_no_failure() -> None:
    error = RuntimeError("pruned after epoch 3")
    error.status = "pruned"
    assert report(error) == 0


def test_the_traceback_is_shown_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ValueError, match="no data"):
        report(ValueError("no data"))


def test_our_messages_are_bare_lines_on_stderr_and_further_ranks_are_quiet(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("seg")
    before = log.handlers, log.level, log.propagate
    try:
        for rank, expected in (("0", "epoch 1\n"), ("1", "")):
            monkeypatch.setenv("LOCAL_RANK", rank)
            set_up_logging()
            logging.getLogger("seg.train").info("epoch %d", 1)
            shown = capsys.readouterr()
            assert (shown.out, shown.err) == ("", expected)
    finally:
        log.handlers, log.level, log.propagate = before


def test_an_error_that_is_the_cause_of_its_own_cause_is_reported(
    capsys: pytest.CaptureFixture,
) -> None:
    """As Hydra leaves an error of a constructor that `make` raises again."""
    inner, outer = ValueError("model.decoder: five numbers"), RuntimeError("of Hydra")
    outer.__cause__, inner.__context__ = inner, outer
    assert report(inner) == 1
    assert "five numbers" in capsys.readouterr().err
