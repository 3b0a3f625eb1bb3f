"""The commands that a report names can be pasted into a shell."""

import shlex

from seg.report.run.facts import commands


def test_a_folder_with_spaces_and_quotes_stays_one_word():
    run = "/a b/it's=1/run"
    for what, line in commands(run).items():
        words = shlex.split(line)
        assert words[:2] == ["python", "-m"]
        assert any(run in word for word in words), what


def test_every_command_is_one_of_seg():
    modules = {shlex.split(line)[2] for line in commands("RUN").values()}
    assert modules == {"seg.train", "seg.evaluate", "seg.predict", "seg.export", "seg.compare"}
