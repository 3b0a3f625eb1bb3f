"""Each caveat is planted alone; a sound run has none of them."""

import csv
import json
import re

import numpy as np
import pytest

from seg.evaluation.summary import summarize_test
from seg.report.run import read
from seg.runs.case_table import write_cases
from tests.report.run.folders import (
    allocated,
    change_config,
    change_json,
    counts_of,
    write_split,
)

ALWAYS = {"one seed"}


def kinds(run):
    return {caveat.kind for caveat in read(run).caveats}


def caveat_of(run, kind):
    (caveat,) = [c for c in read(run).caveats if c.kind == kind]
    return caveat


def numbers(caveat):
    """The numbers in its text."""
    return [float(n) for n in re.findall(r"\d+(?:\.\d+)?", caveat.text)]


def rewrite_test(run, counts, *, classes=("polyp",)):
    """The test of other counts, with its intervals."""
    chosen = [row for row in allocated() if row[2] == "test"][: len(counts)]
    about = {"groups": [g for _, g, _ in chosen], "class_names": classes, "counts": counts}
    write_cases(run / "test_cases.csv", cases=[c for c, _, _ in chosen], **about)
    content = summarize_test(split="test", size=[64, 64], **about)
    (run / "test.json").write_text(json.dumps(content))


def rewrite_epochs(run, train, val):
    rows = [f"{e + 1},main,{t},{v}" for e, (t, v) in enumerate(zip(train, val, strict=True))]
    (run / "metrics.csv").write_text("\n".join(["epoch,stage,train/dice,val/dice", *rows]) + "\n")


def test_a_sound_run_has_one_caveat_that_it_is_a_single_run(run):
    assert kinds(run) == ALWAYS
    assert "seed 7" in caveat_of(run, "one seed").text


def test_groups_unknown_where_every_file_is_its_own(run):
    write_split(run / "split.csv", {case: {"group": case} for case, _, _ in allocated()})
    assert kinds(run) == ALWAYS | {"groups unknown"}


def test_slices_of_a_volume_and_joined_duplicates_are_no_known_groups(run):
    cases = [case for case, _, _ in allocated()]
    same = {case: {"group": cases[0]} for case in cases[:2]}  # as duplicates are joined
    slices = {c: {"image": f"scan.nii#{k}", "group": "scan.nii"} for k, c in enumerate(cases[4:8])}
    other = {case: {"group": case} for case in cases}
    write_split(run / "split.csv", other | same | slices)
    assert "groups unknown" in kinds(run)


def test_a_split_by_file_is_told(run):
    change_config(run, dataset__split__by="file")
    assert kinds(run) == ALWAYS | {"split by file"}


def test_a_group_on_both_sides_is_grave_and_named(run):
    write_split(run / "split.csv", {"images/000_0.png": {"split": "test"}})
    assert kinds(run) == ALWAYS | {"groups parted"}
    caveat = caveat_of(run, "groups parted")
    assert caveat.grave
    assert caveat.names == ("patient 0",)
    assert read(run).caveats[0] == caveat  # the grave ones first


def test_byte_equal_images_in_two_splits_are_grave_and_named(run):
    change_config(run, dataset__split__duplicates="ignore")
    write_split(run / "split.csv", {"images/099_1.png": {"image_sha256": "iimages/000_0.png"}})
    assert kinds(run) == ALWAYS | {"duplicates parted", "duplicates ignored"}
    assert caveat_of(run, "duplicates parted").names == ("images/000_0.png = images/099_1.png",)


def test_blank_images_in_two_splits_are_no_duplicates(run):
    """A training that keeps duplicates together parts only equal images that are blank."""
    write_split(run / "split.csv", {"images/099_1.png": {"image_sha256": "iimages/000_0.png"}})
    assert kinds(run) == ALWAYS


def test_byte_equal_images_in_one_split_are_not(run):
    write_split(run / "split.csv", {"images/001_1.png": {"image_sha256": "iimages/000_0.png"}})
    assert kinds(run) == ALWAYS


def test_ignored_duplicates_are_told(run):
    change_config(run, dataset__split__duplicates="ignore")
    assert kinds(run) == ALWAYS | {"duplicates ignored"}


def audit(run, **changes):
    """An audit of the same files where seg.prepare writes it."""
    place = run.parents[1] / "prepare" / "polyps" / "2026-01-01_00-00-00"
    place.mkdir(parents=True)
    content = {"count": 200, "near_duplicates": [], "warnings": [], "errors": []}
    content |= {"dataset": {"root": "/elsewhere", "classes": {"polyp": 1}}} | changes
    (place / "audit.json").write_text(json.dumps(content))
    write_split(place / "split.csv")
    return place


def test_near_duplicates_of_the_audit_in_two_splits_are_grave(run):
    apart = ["images/000_0.png", "images/099_1.png"]
    audit(run, near_duplicates=[apart, ["images/000_0.png", "images/001_0.png"]])
    assert kinds(run) == ALWAYS | {"near-duplicates parted"}
    assert caveat_of(run, "near-duplicates parted").names == (" ~ ".join(apart),)


def test_errors_of_the_audit_are_told(run):
    audit(run, errors=[{"kind": "size", "text": "3 masks of another size"}])
    assert kinds(run) == ALWAYS | {"audit"}
    assert caveat_of(run, "audit").names == ("3 masks of another size",)


@pytest.mark.parametrize(
    "dataset",
    [{"classes": {"polyp": 255}}, {"classes": None}, {"classes": {"polyp": 1, "tool": 9}},
     {"classes": {"polyp": 1}, "ignore_value": 7}, None],
)  # fmt: skip
def test_an_audit_of_the_same_files_with_other_classes_is_not_believed(run, dataset):
    audit(run, errors=[{"kind": "values", "text": "3 masks of other values"}], dataset=dataset)
    assert read(run).audit is None
    assert kinds(run) == ALWAYS


def test_an_audit_of_other_files_is_not_believed(run):
    place = audit(run, errors=[{"kind": "size", "text": "3 masks of another size"}])
    write_split(place / "split.csv", {"images/000_0.png": {"mask_sha256": "edited"}})
    assert read(run).audit is None
    assert kinds(run) == ALWAYS


def test_weights_of_another_run_are_told(run):
    change_config(run, init_from="/home/someone/other")
    assert kinds(run) == ALWAYS | {"other weights"}


def test_few_validation_cases_are_told(run):
    val = [case for case, _, split in allocated() if split == "val"]
    write_split(run / "split.csv", {case: {"split": "train"} for case in val[4:]})
    assert kinds(run) == ALWAYS | {"few validation cases"}
    assert numbers(caveat_of(run, "few validation cases")) == [4]


def test_a_missing_split_is_grave(run):
    (run / "split.csv").unlink()
    assert kinds(run) == ALWAYS | {"split unknown"}


def test_few_test_groups_are_counted_by_groups_not_cases(run):
    rewrite_test(run, counts_of(30))
    assert kinds(run) == ALWAYS | {"few test cases"}
    assert "15 groups" in caveat_of(run, "few test cases").text  # not 30 cases


@pytest.mark.parametrize(("low", "is_wide"), [(0.81, False), (0.744, True)])
def test_a_wide_interval_is_told_with_its_ends(run, low, is_wide):
    metrics = json.loads((run / "test.json").read_text())["metrics"]
    metrics["dice"] |= {"low": low, "high": 0.9}
    change_json(run / "test.json", metrics=metrics)
    assert kinds(run) == ALWAYS | ({"wide interval"} if is_wide else set())
    if is_wide:
        assert numbers(caveat_of(run, "wide interval")) == [0.156, 0.744, 0.9]


def test_no_evaluation_at_the_masks_own_size_is_told(run):
    for file in (run / "evaluate" / "test").iterdir():
        file.unlink()
    assert kinds(run) == ALWAYS | {"training size only"}
    assert "64x64" in caveat_of(run, "training size only").text


def test_an_evaluation_of_another_set_does_not_stand_for_the_test(run):
    change_json(run / "evaluate" / "test" / "test.json", split="elsewhere")
    assert kinds(run) == ALWAYS | {"training size only"}


def test_a_test_that_is_missing_in_a_finished_run_is_grave(run):
    (run / "test.json").unlink()
    assert caveat_of(run, "no test").grave


def test_the_best_epoch_being_the_last_is_told(run):
    rewrite_epochs(run, [0.6, 0.7, 0.8], [0.5, 0.6, 0.7])
    change_json(run / "run.json", best_epoch=3)
    change_config(run, trainer__max_epochs=3)
    assert kinds(run) == ALWAYS | {"still improving"}


def test_early_stopping_is_told_with_its_epochs(run):
    change_config(run, trainer__max_epochs=50, early_stopping=2)
    assert kinds(run) == ALWAYS | {"stopped early"}
    assert numbers(caveat_of(run, "stopped early")) == [6, 50, 2, 2]


def test_epochs_of_all_stages_count(run):
    change_config(run, trainer__max_epochs=4, stages={"second": {"max_epochs": 2}})
    assert kinds(run) == ALWAYS


@pytest.mark.parametrize("status", ["failed", "interrupted", "running", "pruned", "odd"])
def test_what_did_not_finish_is_grave_with_its_error(run, status):
    change_json(run / "run.json", status=status, error="disk\nfull")
    caveat = caveat_of(run, "not finished")
    assert caveat.grave
    assert "disk full" in caveat.text
    assert kinds(run) == ALWAYS | {"not finished"}


def test_a_gap_between_training_and_validation_is_told(run):
    rewrite_epochs(run, [0.6, 0.97, 0.98], [0.5, 0.7, 0.6])
    change_json(run / "run.json", best_epoch=2)
    change_config(run, trainer__max_epochs=3)
    assert kinds(run) == ALWAYS | {"fits its training"}
    assert numbers(caveat_of(run, "fits its training")) == [0.97, 0.7]


@pytest.mark.parametrize("commit", [None, "0123abcd+"])
def test_code_without_a_clean_commit_is_told(run, commit):
    change_json(run / "run.json", git_commit=commit)
    assert kinds(run) == ALWAYS | {"code not pinned"}


def test_a_single_fold_is_told(run):
    change_config(run, dataset__split__folds=5, dataset__split__fold=2)
    assert kinds(run) == ALWAYS | {"one fold"}


def test_a_tuned_threshold_is_told(run):
    change_json(run / "evaluate" / "test" / "test.json", threshold=0.35)
    assert kinds(run) == ALWAYS | {"tuned on validation"}
    assert numbers(caveat_of(run, "tuned on validation")) == [0.35, 0.5]


def test_tuned_clean_up_is_told(run):
    chosen = {"largest_component": ["polyp"], "fill_holes": []}
    change_json(run / "evaluate" / "test" / "test.json", postprocess=chosen)
    assert kinds(run) == ALWAYS | {"tuned on validation"}
    text = caveat_of(run, "tuned on validation").text
    assert "largest_component" in text
    assert "polyp" in text
    assert "fill_holes" not in text


def test_failed_predictions_are_grave(run):
    change_json(run / "evaluate" / "test" / "test.json", failed=2)
    assert caveat_of(run, "failed predictions").grave


def test_another_checkpoint_than_the_best_is_told(run):
    change_json(run / "evaluate" / "test" / "test.json", checkpoint="C:\\x\\checkpoints\\last.ckpt")
    assert kinds(run) == ALWAYS | {"other checkpoint"}
    assert "last.ckpt" in caveat_of(run, "other checkpoint").text


def test_cases_with_no_hit_are_named(run):
    counts = counts_of(80)
    counts[3, 0] = [0, 10, 300, 3786]
    rewrite_test(run, counts)
    assert kinds(run) == ALWAYS | {"missed altogether"}
    assert caveat_of(run, "missed altogether").names == ("images/061_1.png",)


def test_false_alarms_and_mostly_empty_masks_are_told(run):
    counts = counts_of(80)
    counts[:30, 0] = [0, 0, 0, 4096]
    rewrite_test(run, counts)
    assert kinds(run) == ALWAYS | {"mostly empty"}
    counts[4, 0] = [0, 7, 0, 4089]
    rewrite_test(run, counts)
    assert caveat_of(run, "false alarms").names == ("images/062_0.png",)
    assert numbers(caveat_of(run, "false alarms")) == [1, 30]


def test_a_class_far_below_the_others_is_named(run):
    counts = np.concatenate([counts_of(80), counts_of(80, seed=1)], axis=1)
    counts[:, 1] = [60, 60, 60, 3916]  # Dice 0.5 exactly
    rewrite_test(run, counts, classes=("good", "bad"))
    caveat = caveat_of(run, "low class")
    assert caveat.text.startswith("bad ")
    assert numbers(caveat) == [0.5, pytest.approx(0.7, abs=0.05)]


def test_broken_files_are_told_and_the_rest_is_read(run):
    (run / "run.json").write_text('{"status": "fin')
    (run / "test.json").write_text("[]")
    (run / "test_panels" / "worst.png").write_bytes(b"\x89PNG\r\n\x1a\nhalf")
    broken = [c.text.split()[0] for c in read(run).caveats if c.kind == "broken file"]
    assert broken == [
        "run.json",
        "test.json",
        "test_panels/worst.png",
    ]
    assert read(run).run.config["seed"] == 7


def test_a_table_that_contradicts_its_figures_is_left_out(run):
    with (run / "test_cases.csv").open(newline="") as handle:
        rows = list(csv.reader(handle))
    rows[1][rows[0].index("dice")] = "0.000000"
    with (run / "test_cases.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    assert caveat_of(run, "broken file").text.startswith("test_cases.csv ")
    assert read(run).run.test.table is None
