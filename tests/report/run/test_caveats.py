"""Each caveat is planted alone; a sound run has none of them."""

import csv
import json

import numpy as np
import pytest

from seg.evaluation.summary import summarize_test
from seg.report.run import read
from seg.report.run.evidence import read_evidence
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


def found(run, kind):
    (caveat,) = [c for c in read(run).caveats if c.kind == kind]
    return caveat


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


def test_a_sound_run_has_no_caveat_but_that_it_is_one(run):
    assert kinds(run) == ALWAYS
    assert "seed 7" in found(run, "one seed").text


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


def test_a_split_by_file_is_said(run):
    change_config(run, dataset__split__by="file")
    assert kinds(run) == ALWAYS | {"split by file"}


def test_a_group_on_both_sides_is_grave_and_named(run):
    write_split(run / "split.csv", {"images/000_0.png": {"split": "test"}})
    assert kinds(run) == ALWAYS | {"groups parted"}
    caveat = found(run, "groups parted")
    assert caveat.grave
    assert caveat.names == ("patient 0",)
    assert read(run).caveats[0] == caveat  # the grave ones first


def test_byte_equal_images_in_two_splits_are_grave_and_named(run):
    write_split(run / "split.csv", {"images/099_1.png": {"image_sha256": "iimages/000_0.png"}})
    assert kinds(run) == ALWAYS | {"duplicates parted"}
    assert found(run, "duplicates parted").names == ("images/000_0.png = images/099_1.png",)


def test_byte_equal_images_in_one_split_are_not(run):
    write_split(run / "split.csv", {"images/001_1.png": {"image_sha256": "iimages/000_0.png"}})
    assert kinds(run) == ALWAYS


def test_ignored_duplicates_are_said(run):
    change_config(run, dataset__split__duplicates="ignore")
    assert kinds(run) == ALWAYS | {"duplicates ignored"}


def audit(run, **changes):
    """An audit of the same files where seg.prepare writes it."""
    place = run.parents[1] / "prepare" / "polyps" / "2026-01-01_00-00-00"
    place.mkdir(parents=True)
    content = {"count": 200, "near_duplicates": [], "warnings": [], "errors": []} | changes
    (place / "audit.json").write_text(json.dumps(content))
    write_split(place / "split.csv")
    return place


def test_near_duplicates_of_the_audit_in_two_splits_are_grave(run):
    apart = ["images/000_0.png", "images/099_1.png"]
    audit(run, near_duplicates=[apart, ["images/000_0.png", "images/001_0.png"]])
    assert kinds(run) == ALWAYS | {"near-duplicates parted"}
    assert found(run, "near-duplicates parted").names == (" ~ ".join(apart),)


def test_errors_of_the_audit_are_told(run):
    audit(run, errors=[{"kind": "size", "text": "3 masks of another size"}])
    assert kinds(run) == ALWAYS | {"audit"}
    assert found(run, "audit").names == ("3 masks of another size",)


def test_an_audit_of_other_files_is_not_believed(run):
    place = audit(run, errors=[{"kind": "size", "text": "3 masks of another size"}])
    write_split(place / "split.csv", {"images/000_0.png": {"mask_sha256": "edited"}})
    assert read_evidence(run).audit is None
    assert kinds(run) == ALWAYS


def test_weights_of_another_run_are_said(run):
    change_config(run, init_from="/home/someone/other")
    assert kinds(run) == ALWAYS | {"other weights"}


def test_few_validation_cases_are_said(run):
    val = [case for case, _, split in allocated() if split == "val"]
    write_split(run / "split.csv", {case: {"split": "train"} for case in val[4:]})
    assert kinds(run) == ALWAYS | {"few validation cases"}
    assert "4 validation cases" in found(run, "few validation cases").text


def test_a_missing_split_is_grave(run):
    (run / "split.csv").unlink()
    assert kinds(run) == ALWAYS | {"split unknown"}


def test_few_test_groups_are_said_by_groups_not_cases(run):
    rewrite_test(run, counts_of(30))
    assert kinds(run) == ALWAYS | {"few test cases"}
    assert "15 groups" in found(run, "few test cases").text


@pytest.mark.parametrize(("low", "said"), [(0.81, False), (0.744, True)])
def test_a_wide_interval_is_said_with_its_ends(run, low, said):
    metrics = json.loads((run / "test.json").read_text())["metrics"]
    metrics["dice"] |= {"low": low, "high": 0.9}
    change_json(run / "test.json", metrics=metrics)
    assert kinds(run) == ALWAYS | ({"wide interval"} if said else set())
    if said:
        assert "0.156 wide (0.744 to 0.900)" in found(run, "wide interval").text


def test_no_evaluation_at_the_masks_own_size_is_said(run):
    for file in (run / "evaluate" / "test").iterdir():
        file.unlink()
    assert kinds(run) == ALWAYS | {"training size only"}
    assert "64x64" in found(run, "training size only").text


def test_an_evaluation_of_another_set_does_not_stand_for_the_test(run):
    change_json(run / "evaluate" / "test" / "test.json", split="elsewhere")
    assert kinds(run) == ALWAYS | {"training size only"}


def test_a_test_that_is_missing_in_a_finished_run_is_grave(run):
    (run / "test.json").unlink()
    assert found(run, "no test").grave


def test_the_best_epoch_being_the_last_is_said(run):
    rewrite_epochs(run, [0.6, 0.7, 0.8], [0.5, 0.6, 0.7])
    change_json(run / "run.json", best_epoch=3)
    change_config(run, trainer__max_epochs=3)
    assert kinds(run) == ALWAYS | {"still improving"}


def test_early_stopping_is_said_with_its_epochs(run):
    change_config(run, trainer__max_epochs=50, early_stopping=2)
    assert kinds(run) == ALWAYS | {"stopped early"}
    assert "epoch 6 of 50" in found(run, "stopped early").text


def test_epochs_of_all_stages_count(run):
    change_config(run, trainer__max_epochs=4, stages={"second": {"max_epochs": 2}})
    assert kinds(run) == ALWAYS


@pytest.mark.parametrize("status", ["failed", "interrupted", "running", "pruned", "odd"])
def test_what_did_not_finish_is_grave_with_its_error(run, status):
    change_json(run / "run.json", status=status, error="disk\nfull")
    caveat = found(run, "not finished")
    assert caveat.grave
    assert "disk full" in caveat.text
    assert kinds(run) == ALWAYS | {"not finished"}


def test_a_gap_between_training_and_validation_is_said(run):
    rewrite_epochs(run, [0.6, 0.97, 0.98], [0.5, 0.7, 0.6])
    change_json(run / "run.json", best_epoch=2)
    change_config(run, trainer__max_epochs=3)
    assert kinds(run) == ALWAYS | {"fits its training"}
    assert "0.970 in training and 0.700" in found(run, "fits its training").text


@pytest.mark.parametrize("commit", [None, "0123abcd+"])
def test_code_without_a_clean_commit_is_said(run, commit):
    change_json(run / "run.json", git_commit=commit)
    assert kinds(run) == ALWAYS | {"code not pinned"}


def test_a_single_fold_is_said(run):
    change_config(run, dataset__split__folds=5, dataset__split__fold=2)
    assert kinds(run) == ALWAYS | {"one fold"}


def test_a_tuned_threshold_is_said(run):
    change_json(run / "evaluate" / "test" / "test.json", threshold=0.35)
    assert kinds(run) == ALWAYS | {"tuned on validation"}
    assert "0.35 instead of 0.5" in found(run, "tuned on validation").text


def test_tuned_clean_up_is_said(run):
    chosen = {"largest_component": ["polyp"], "fill_holes": []}
    change_json(run / "evaluate" / "test" / "test.json", postprocess=chosen)
    assert kinds(run) == ALWAYS | {"tuned on validation"}
    assert "largest_component of polyp" in found(run, "tuned on validation").text


def test_failed_predictions_are_grave(run):
    change_json(run / "evaluate" / "test" / "test.json", failed=2)
    assert found(run, "failed predictions").grave


def test_another_checkpoint_than_the_best_is_said(run):
    change_json(run / "evaluate" / "test" / "test.json", checkpoint="C:\\x\\checkpoints\\last.ckpt")
    assert kinds(run) == ALWAYS | {"other checkpoint"}
    assert "last.ckpt" in found(run, "other checkpoint").text


def test_cases_with_nothing_found_are_named(run):
    counts = counts_of(80)
    counts[3, 0] = [0, 10, 300, 3786]
    rewrite_test(run, counts)
    assert kinds(run) == ALWAYS | {"missed altogether"}
    assert found(run, "missed altogether").names == ("images/061_1.png",)


def test_false_alarms_and_mostly_empty_masks_are_told(run):
    counts = counts_of(80)
    counts[:30, 0] = [0, 0, 0, 4096]
    rewrite_test(run, counts)
    assert kinds(run) == ALWAYS | {"mostly empty"}
    counts[4, 0] = [0, 7, 0, 4089]
    rewrite_test(run, counts)
    assert found(run, "false alarms").names == ("images/062_0.png",)
    assert "In 1 of 30 test cases" in found(run, "false alarms").text


def test_a_class_far_below_the_others_is_named(run):
    counts = np.concatenate([counts_of(80), counts_of(80, seed=1)], axis=1)
    counts[:, 1] = [60, 60, 60, 3916]  # Dice 0.5 exactly
    rewrite_test(run, counts, classes=("good", "bad"))
    caveat = found(run, "low class")
    assert caveat.text.startswith("bad has a Dice of 0.500")
    assert "mean of the classes is 0.7" in caveat.text


def test_broken_files_are_told_and_the_rest_is_read(run):
    (run / "run.json").write_text('{"status": "fin')
    (run / "test.json").write_text("[]")
    (run / "test_panels" / "worst.png").write_bytes(b"\x89PNG\r\n\x1a\nhalf")
    said = [c.text for c in read(run).caveats if c.kind == "broken file"]
    assert [text.split()[0] for text in said] == ["run.json", "test.json", "test_panels/worst.png"]
    assert read(run).evidence.config["seed"] == 7


def test_a_table_that_contradicts_its_figures_is_left_out(run):
    with (run / "test_cases.csv").open(newline="") as handle:
        rows = list(csv.reader(handle))
    rows[1][rows[0].index("dice")] = "0.000000"
    with (run / "test_cases.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    assert "test_cases.csv is left out: test.json says dice" in found(run, "broken file").text
    assert read(run).evidence.test.table is None
