"""Jobs as sweep.json plans them, and as whatever a kill has left of their folders."""

import json
import math
import os

import pytest

from seg.comparison.sweep_jobs import parse_folder, parse_overrides, read_jobs, read_plan
from tests.comparison.sweep_written import write_job, write_plan


def _job(folder, name="0_loss=bce"):
    return next(job for job in read_jobs(folder) if job.name == name)


def test_a_job_without_folder_never_started(tmp_path):
    write_plan(tmp_path, [["loss=bce"], ["loss=dice"]])
    write_job(tmp_path, 1, ["loss=dice"], val=0.5)
    first, second = read_jobs(tmp_path)
    assert (first.status, first.problem, first.overrides) == (
        "never started",
        None,
        {"loss": "bce"},
    )
    assert math.isnan(first.folder.best_score)
    assert (second.status, second.folder.best_score, second.folder.best_epoch) == (
        "finished",
        0.5,
        3,
    )


def test_a_folder_that_the_plan_does_not_name_is_a_job_in_its_place(tmp_path):
    write_plan(tmp_path, [["loss=bce"]])
    write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    write_job(tmp_path, 10, ["loss=ce"], val=0.5)
    write_job(tmp_path, 2, ["loss=dice"], val=0.5)
    (tmp_path / "pictures").mkdir()
    (tmp_path / ".cache").mkdir()
    (tmp_path / "11_loss=file").write_text("no folder")
    assert [job.number for job in read_jobs(tmp_path)] == [0, 2, 10]


def test_a_job_that_was_refused_before_it_started_keeps_its_reason(tmp_path):
    (tmp_path / "0_loss=bce").mkdir()
    facts = {"status": "failed", "error": "loss=bce:\n  is wrong"}
    (tmp_path / "0_loss=bce" / "run.json").write_text(json.dumps(facts))
    job = _job(tmp_path)
    assert (job.status, job.problem) == ("failed", "loss=bce: is wrong")


@pytest.mark.parametrize("text", ["", "{", '{"status": "runn', "[]", "{}", '{"status": 3}', "\0"])
def test_a_run_json_that_is_cut_or_strange_is_a_broken_job_with_a_reason(tmp_path, text):
    folder = write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    (folder / "run.json").write_text(text)
    job = _job(tmp_path)
    assert job.status == "broken"
    assert job.problem.startswith("run.json ")
    assert not job.has_score


@pytest.mark.parametrize("name", ["config.yaml", "test.json", "test_cases.csv", "metrics.csv"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_file_cut_anywhere_raises_nothing_and_leaves_the_job_finished(tmp_path, name, share):
    folder = write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    job = _job(tmp_path)
    assert job.status == "finished"
    assert job.folder.best_score == 0.5
    if name.startswith("test"):
        assert "test" in job.problem


@pytest.mark.parametrize("name", ["run.json", "config.yaml", "test.json", "metrics.csv"])
def test_bytes_that_are_no_text_raise_nothing(tmp_path, name):
    folder = write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    (folder / name).write_bytes(b"\xff\xfe\x00\x80" * 20)
    assert _job(tmp_path).status in ("finished", "broken")


def test_a_run_without_a_test_split_is_finished_without_error(tmp_path):
    folder = write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    (folder / "test.json").unlink()
    (folder / "test_cases.csv").unlink()
    assert (_job(tmp_path).status, _job(tmp_path).problem) == ("finished", None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read_is_broken(tmp_path):
    folder = write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    folder.chmod(0)
    try:
        assert _job(tmp_path).status == "broken"
    finally:
        folder.chmod(0o755)


def test_a_job_that_did_not_come_to_its_end_has_the_best_of_its_curve(tmp_path):
    folder = write_job(tmp_path, 0, ["loss=bce"], status="interrupted")
    (folder / "metrics.csv").write_text("epoch,val/dice\n1,0.2\n2,0.6\n3,0.4\n4,0.")
    job = _job(tmp_path)
    assert (job.status, job.folder.best_score, job.folder.best_epoch) == ("interrupted", 0.6, 2)


@pytest.mark.parametrize("value", ["NaN", '"high"', "null", "true", "[1]"])
def test_a_score_that_is_no_number_is_none(tmp_path, value):
    folder = write_job(tmp_path, 0, ["loss=bce"])
    (folder / "metrics.csv").unlink()
    (folder / "run.json").write_text(f'{{"status": "finished", "val/dice": {value}}}')
    job = _job(tmp_path)
    assert math.isnan(job.folder.best_score)
    assert not job.has_score


def test_jobs_are_read_with_what_sets_them_apart(tmp_path):
    jobs = [{"number": 0, "overrides": ["loss=bce", "+model.width='8'"], "folder": "0_x"}]
    (tmp_path / "sweep.json").write_text(json.dumps({"command": "seg", "jobs": jobs}))
    plan = read_plan(tmp_path)
    assert plan.command == "seg"
    assert plan.started == ""
    assert plan.jobs[0].overrides == {"loss": "bce", "model.width": "8"}
    assert (plan.jobs[0].number, plan.jobs[0].folder) == (0, "0_x")


@pytest.mark.parametrize(
    "text",
    [
        "", "[1]", '{"jobs": [{"number": 1}]}', '{"jobs": [3]}', '{"jobs": [{"numb',
        '{"jobs": [{"number": null, "overrides": [], "folder": "a"}]}',
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_read_has_a_problem_and_no_jobs(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text)
    plan = read_plan(tmp_path)
    assert plan.jobs == []
    assert plan.problem.startswith("sweep.json: ")


def test_no_plan_is_no_problem(tmp_path):
    assert read_plan(tmp_path).problem == ""


def test_a_folder_name_tells_number_and_overrides():
    job = parse_folder("12_loss=dice,model.blocks=[1,2,3],optimizer.lr=1e-3")
    assert job.number == 12
    assert job.overrides == {"loss": "dice", "model.blocks": "[1,2,3]", "optimizer.lr": "1e-3"}


@pytest.mark.parametrize(("name", "number"), [("7", 7), ("evaluate", None), ("3_", 3)])
def test_a_name_without_overrides_has_none(name, number):
    job = parse_folder(name)
    assert (job.number, job.overrides) == (number, {})


def test_a_quote_alone_is_kept():
    assert parse_overrides(["a='", 'b="x"', "c=it's"]) == {"a": "'", "b": "x", "c": "it's"}
