"""The per-case table: decisions, counts, and every figure that is derived from it."""

import numpy as np
import pytest
import torch

from seg.metrics.cases import (
    CaseCounts,
    confusion,
    count_pairs,
    decide,
    multiply_pairs,
    summarize,
    summarize_class,
)


def _random(cases=10, classes=2, ignored=0.2, seed=0):
    rng = np.random.default_rng(seed)
    prediction = torch.from_numpy(rng.integers(0, classes + 1, (cases, 5, 6)))
    target = torch.from_numpy(rng.integers(0, classes + 1, (cases, 5, 6)))
    target[torch.from_numpy(rng.random((cases, 5, 6)) < ignored)] = 255
    target[0] = 0
    return prediction, target


def _reference_confusion(prediction, target, classes):
    """A pixel at a time."""
    counts = np.zeros((len(target), classes, 4), dtype=np.int64)
    for n, y, x in np.ndindex(*target.shape):
        if target[n, y, x] == 255:
            continue
        for c in range(1, classes + 1):
            called, true = prediction[n, y, x] == c, target[n, y, x] == c
            counts[n, c - 1, [[3, 1], [2, 0]][int(true)][int(called)]] += 1
    return counts


def _table(prediction, target, batch, order=None, classes=2):
    """cases and counts of a table filled in batches."""
    table = CaseCounts(classes=classes)
    order = torch.arange(len(target)) if order is None else torch.as_tensor(order)
    for rows in order.split(batch):
        table.update(prediction[rows], target[rows], rows)
    return table.compute()


@pytest.mark.parametrize(
    ("logit", "expected"), [(0.3, 1), (1e-3, 1), (0.0, 0), (-0.1, 0), (0.6, 1), (-5, 0)]
)
def test_the_threshold_is_on_the_probability_and_not_on_the_logit(logit, expected):
    """The kidney document's trap: 0.5 on logits asks for a probability of .62."""
    assert decide(torch.full((1, 1, 1, 1), float(logit)), 0.5).item() == expected


@pytest.mark.parametrize(
    ("threshold", "pixels"), [(0.1, 4), (0.4, 3), (0.5, 2), (0.7, 1), (0.95, 0)]
)
def test_a_higher_threshold_finds_less(threshold, pixels):
    probs = torch.tensor([0.2, 0.45, 0.6, 0.9]).view(1, 1, 2, 2)
    assert decide(torch.logit(probs), threshold).sum() == pixels


def test_several_channels_take_the_likeliest_class_whatever_the_threshold():
    logits = torch.tensor([[-1.0, -2.0, -3.0], [0.1, 0.3, 0.2], [5.0, 5.0, 6.0]])
    for threshold in (0.1, 0.5, 0.9):
        assert decide(logits.view(3, 3, 1, 1), threshold).flatten().tolist() == [0, 1, 2]


def test_decisions_are_whole_numbers_without_the_channel():
    for channels in (1, 4):
        decision = decide(torch.randn(2, channels, 3, 5).bfloat16(), 0.5)
        assert decision.shape == (2, 3, 5)
        assert decision.dtype == torch.int64


@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("ignored", [0.0, 0.3])
def test_confusion_agrees_with_loops_over_pixels(classes, ignored):
    prediction, target = _random(classes=classes, ignored=ignored)
    counts = confusion(prediction, target, classes=classes)
    expected = _reference_confusion(prediction.numpy(), target.numpy(), classes)
    assert counts.dtype == torch.int64
    np.testing.assert_array_equal(counts.numpy(), expected)


def test_a_gpu_counts_as_a_cpu_does():
    pair = _random(classes=4, ignored=0.2)
    assert torch.equal(multiply_pairs(*pair, 5), count_pairs(*pair, 5))


def test_false_alarms_are_second_and_misses_third():
    target = torch.tensor([[[1, 1, 1, 0, 0, 0, 0, 0]]])
    prediction = torch.tensor([[[1, 0, 0, 1, 1, 1, 0, 0]]])
    assert confusion(prediction, target, classes=1).tolist() == [[[1, 3, 2, 2]]]


def test_a_confused_class_is_missed_in_one_and_invented_in_the_other():
    target, prediction = torch.tensor([[[1, 0]]]), torch.tensor([[[2, 0]]])
    assert confusion(prediction, target, classes=2).tolist() == [[[0, 0, 1, 1], [0, 1, 0, 1]]]


def test_ignored_pixels_count_nowhere_whatever_is_predicted_there():
    prediction, target = _random(ignored=0.4)
    other = torch.where(target == 255, (prediction + 1) % 3, prediction)
    counts = confusion(prediction, target, classes=2)
    assert torch.equal(counts, confusion(other, target, classes=2))
    assert torch.equal(counts.sum(-1)[:, 0], (target != 255).sum((1, 2)))


def test_a_class_that_no_pixel_has_is_all_true_negatives():
    counts = confusion(torch.zeros(1, 4, 4).long(), torch.zeros(1, 4, 4).long(), classes=3)
    assert counts.tolist() == [[[0, 0, 0, 16]] * 3]


@pytest.mark.parametrize("batch", [1, 3, 7, 10])
def test_the_table_does_not_depend_on_the_batch_size(batch):
    prediction, target = _random()
    cases, counts = _table(prediction, target, batch)
    assert cases.tolist() == list(range(10))
    np.testing.assert_array_equal(
        counts, _reference_confusion(prediction.numpy(), target.numpy(), 2)
    )
    assert summarize(counts) == summarize(confusion(prediction, target, classes=2).numpy())


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_the_table_does_not_depend_on_the_order_in_which_cases_come(batch):
    prediction, target = _random()
    order = np.random.default_rng(1).permutation(10)
    cases, counts = _table(prediction, target, batch, order=order)
    assert cases.tolist() == list(range(10))
    np.testing.assert_array_equal(counts, _table(prediction, target, 10)[1])


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_cases_that_come_twice_count_once(batch):
    prediction, target = _random()
    expected = _table(prediction, target, 10)
    cases, counts = _table(prediction, target, batch, order=[*range(10), 0, 1, 1, 9])
    np.testing.assert_array_equal(cases, expected[0])
    np.testing.assert_array_equal(counts, expected[1])


@pytest.mark.parametrize("pixels", [1, 600, 1 << 20])
def test_batches_that_are_counted_together_have_the_counts_of_each(monkeypatch, pixels):
    monkeypatch.setattr("seg.metrics.cases._AT_ONCE", pixels)
    generator = torch.Generator().manual_seed(1)
    shapes = [(2, 8, 8), (2, 8, 8), (1, 8, 8), (2, 4, 9), (2, 4, 9), (3, 8, 8)]
    table, expected = CaseCounts(classes=2), []
    for number, shape in enumerate(shapes):
        prediction, target = (torch.randint(3, shape, generator=generator) for _ in range(2))
        table.update(prediction, target, 10 * number + torch.arange(shape[0]))
        expected += [confusion(prediction, target, classes=2)]
    table.count()  # as for a checkpoint within an epoch, which goes on
    table.update(prediction, target, torch.tensor([90, 91, 92]))
    cases, counts = table.compute()
    rows = [10 * n + i for n, shape in enumerate(shapes) for i in range(shape[0])]
    assert cases.tolist() == [*rows, 90, 91, 92]
    np.testing.assert_array_equal(counts, torch.cat([*expected, expected[-1]]))


def test_a_reset_table_starts_anew():
    prediction, target = _random()
    table = CaseCounts(classes=2)
    table.update(prediction, target, torch.arange(10))
    table.reset()
    table.update(prediction[3:4], target[3:4], torch.tensor([3]))
    cases, counts = table.compute()
    assert cases.tolist() == [3]
    assert counts.shape == (1, 2, 4)


def test_the_table_is_no_part_of_the_weights():
    table = CaseCounts(classes=1)
    table.update(torch.zeros(1, 2, 2).long(), torch.zeros(1, 2, 2).long(), torch.tensor([0]))
    assert table.state_dict() == {}


# Four images of 100 pixels: good, poor, empty and rightly so, empty with a false alarm.
BY_HAND = np.array([[8, 2, 2, 88], [1, 0, 3, 96], [0, 0, 0, 100], [0, 4, 0, 96]])


def test_the_figures_of_one_class_are_those_worked_out_by_hand():
    figures = summarize_class(BY_HAND)
    expected = {
        "dice": (0.8 + 0.4 + 1 + 0) / 4,
        "iou": (8 / 12 + 1 / 4 + 1 + 0) / 4,
        "precision": (0.8 + 1 + 1 + 0) / 4,
        "recall": (0.8 + 0.25 + 1 + 0) / 4,
        "specificity": (88 / 90 + 1 + 1 + 96 / 100) / 4,
        "accuracy": (0.96 + 0.97 + 1 + 0.96) / 4,
        "dice_positive": (0.8 + 0.4) / 2,
        "iou_positive": (8 / 12 + 1 / 4) / 2,
        "dice_pooled": 18 / (18 + 6 + 5),
        "iou_pooled": 9 / (9 + 6 + 5),
        "precision_pooled": 9 / 15,
        "recall_pooled": 9 / 14,
        "specificity_pooled": 380 / 386,
        "accuracy_pooled": 389 / 400,
    }
    assert figures == pytest.approx(expected)


def test_a_volume_is_the_pixels_of_its_group_together():
    figures = summarize_class(BY_HAND, ["b", "a", "b", "a"])
    # b: 8 2 2 188; a: 1 4 3 192
    assert figures["dice_group"] == pytest.approx((16 / 20 + 2 / 9) / 2)
    assert figures["iou_group"] == pytest.approx((8 / 12 + 1 / 8) / 2)


def test_groups_change_the_group_figures_alone():
    plain, grouped = summarize_class(BY_HAND), summarize_class(BY_HAND, ["a", "a", "b", "b"])
    assert grouped.keys() - plain.keys() == {"dice_group", "iou_group"}
    assert {name: grouped[name] for name in plain} == plain


def test_one_group_is_the_pool():
    figures = summarize_class(BY_HAND, ["a"] * 4)
    assert figures["dice_group"] == figures["dice_pooled"]


def test_no_image_with_foreground_leaves_the_positive_figures_out():
    figures = summarize_class(BY_HAND[2:])
    assert "dice_positive" not in figures
    assert "iou_positive" not in figures
    assert figures["dice"] == 0.5


def test_several_classes_score_the_mean_of_the_classes_without_background():
    counts = np.stack([BY_HAND, BY_HAND[::-1]], axis=1)
    counts[0, 1] = [5, 5, 0, 90]
    one, two = summarize_class(counts[:, 0]), summarize_class(counts[:, 1])
    assert summarize(counts) == pytest.approx({name: (one[name] + two[name]) / 2 for name in one})


def test_a_single_class_is_its_own_mean():
    groups = ["a", "a", "b", "c"]
    assert summarize(BY_HAND[:, None], groups) == summarize_class(BY_HAND, groups)


def test_dice_of_several_classes_agrees_with_a_mean_over_images_and_classes():
    prediction, target = _random(cases=8, classes=3, ignored=0.1)
    counts = confusion(prediction, target, classes=3).numpy()
    scores = []
    for p, t in zip(prediction.numpy(), target.numpy(), strict=True):
        for index in (1, 2, 3):
            a, b = (p == index)[t != 255], (t == index)[t != 255]
            total = a.sum() + b.sum()
            scores.append(2 * (a & b).sum() / total if total else 1.0)
    assert summarize(counts)["dice"] == pytest.approx(np.mean(scores))


@pytest.mark.parametrize("absent", [0, 1])
def test_a_class_in_no_image_leaves_the_positive_figures_to_the_other(absent):
    counts = np.stack([BY_HAND, BY_HAND], axis=1)
    counts[:, absent] = [0, 0, 0, 100]
    assert summarize(counts)["dice_positive"] == pytest.approx((0.8 + 0.4) / 2)


def test_the_mean_over_images_is_that_of_the_images_scored_alone():
    means = [summarize_class(BY_HAND[i : i + 1])["dice"] for i in range(4)]
    assert summarize_class(BY_HAND)["dice"] == pytest.approx(np.mean(means))


def test_classes_that_share_pixels_are_decided_and_counted_each_for_itself():
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 5, 6, generator=g)
    planes = torch.randint(0, 2, (4, 3, 5, 6), generator=g)
    planes[torch.rand(planes.shape, generator=g) < 0.2] = 255
    decided = decide(logits, 0.7, overlap=True)
    counts = confusion(decided, planes, classes=3)
    for k in range(3):
        alone = decide(logits[:, k : k + 1], 0.7)
        assert torch.equal(decided[:, k], alone)
        assert torch.equal(counts[:, k : k + 1], confusion(alone, planes[:, k], classes=1))
    expected = [_reference_confusion(decided[:, k], planes[:, k], 1)[:, 0] for k in range(3)]
    assert np.array_equal(counts.numpy(), np.stack(expected, axis=1))
