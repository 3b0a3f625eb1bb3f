"""What sweep.json and the folders' names tell of jobs."""

import json

import pytest

from seg.comparison.sweep_plan import keys_and_values, of_folder, read_plan


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
def test_a_plan_that_cannot_be_read_says_so_and_names_no_jobs(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text)
    plan = read_plan(tmp_path)
    assert plan.jobs == []
    assert plan.problem.startswith("sweep.json: ")


def test_no_plan_is_no_problem(tmp_path):
    assert read_plan(tmp_path).problem == ""


def test_a_folder_name_tells_number_and_overrides():
    job = of_folder("12_loss=dice,model.blocks=[1,2,3],optimizer.lr=1e-3")
    assert job.number == 12
    assert job.overrides == {"loss": "dice", "model.blocks": "[1,2,3]", "optimizer.lr": "1e-3"}


@pytest.mark.parametrize(("name", "number"), [("7", 7), ("evaluate", None), ("3_", 3)])
def test_a_name_without_overrides_has_none(name, number):
    job = of_folder(name)
    assert (job.number, job.overrides) == (number, {})


def test_a_quote_alone_is_kept():
    assert keys_and_values(["a='", 'b="x"', "c=it's"]) == {"a": "'", "b": "x", "c": "it's"}
