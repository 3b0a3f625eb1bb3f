"""Jobs read from whatever a kill, a full disk or a stranger has left of their folders."""

import json
import math
import os

import pytest

from seg.comparison.sweep_jobs import read_jobs
from tests.comparison.sweep_written import write_job, write_plan


def _job(folder, name="0_loss=bce"):
    return next(job for job in read_jobs(folder) if job.name == name)


def test_a_job_without_folder_never_started(tmp_path):
    write_plan(tmp_path, [["loss=bce"], ["loss=dice"]])
    write_job(tmp_path, 1, ["loss=dice"], val=0.5)
    first, second = read_jobs(tmp_path)
    assert (first.status, first.error, first.overrides) == ("never started", "", {"loss": "bce"})
    assert math.isnan(first.score)
    assert (second.status, second.score, second.epoch) == ("finished", 0.5, 3)


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
    assert (job.status, job.error) == ("failed", "loss=bce: is wrong")
    assert job.run.problem == "loss=bce: is wrong"


@pytest.mark.parametrize("text", ["", "{", '{"status": "runn', "[]", "{}", '{"status": 3}', "\0"])
def test_a_run_json_that_is_cut_or_strange_is_a_broken_job_with_a_reason(tmp_path, text):
    folder = write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    (folder / "run.json").write_text(text)
    job = _job(tmp_path)
    assert job.status == "broken"
    assert job.error.startswith("run.json: ")
    assert not job.is_finished


@pytest.mark.parametrize("name", ["config.yaml", "test.json", "test_cases.csv", "metrics.csv"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_file_cut_anywhere_raises_nothing_and_leaves_the_job_finished(tmp_path, name, share):
    folder = write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    job = _job(tmp_path)
    assert job.status == "finished"
    assert job.score == 0.5
    if name.startswith("test"):
        assert "test" in job.error


@pytest.mark.parametrize("name", ["run.json", "config.yaml", "test.json", "metrics.csv"])
def test_bytes_that_are_no_text_raise_nothing(tmp_path, name):
    folder = write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    (folder / name).write_bytes(b"\xff\xfe\x00\x80" * 20)
    assert _job(tmp_path).status in ("finished", "broken")


def test_a_run_without_a_test_split_is_finished_without_error(tmp_path):
    folder = write_job(tmp_path, 0, ["loss=bce"], val=0.5)
    (folder / "test.json").unlink()
    (folder / "test_cases.csv").unlink()
    assert (_job(tmp_path).status, _job(tmp_path).error) == ("finished", "")


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
    assert (job.status, job.score, job.epoch) == ("interrupted", 0.6, 2)


@pytest.mark.parametrize("value", ["NaN", '"high"', "null", "true", "[1]"])
def test_a_score_that_is_no_number_is_none(tmp_path, value):
    folder = write_job(tmp_path, 0, ["loss=bce"])
    (folder / "metrics.csv").unlink()
    (folder / "run.json").write_text(f'{{"status": "finished", "val/dice": {value}}}')
    job = _job(tmp_path)
    assert math.isnan(job.score)
    assert not job.is_finished
