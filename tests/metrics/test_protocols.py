"""Each protocol against plain NumPy on the same maps, and against cases worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score

from seg.metrics.cases import confusion, summarize
from seg.metrics.protocols import BatchPooled, PerImage, PerVolume, PixelPooled

CONF = Path(__file__).resolve().parents[2] / "conf"
FILES = [
    path
    for path in sorted((CONF / "protocol").glob("*.yaml"))
    # the others are lists of these, or need predictions of their own
    if OmegaConf.load(path).get("_target_", "").startswith("seg.metrics.protocols.")
]
NAMES = [path.stem for path in FILES]
BINARY = [name for name in NAMES if name != "seg"]
SIZE = (20, 24)


def protocol(name, **changes):
    """The protocol of conf/protocol, at the maps' own size unless another is given."""
    cfg = OmegaConf.load(next(path for path in FILES if path.stem == name))
    return instantiate(cfg, **{"at": "native"} | changes)


def _cases(seed=0, count=9, ignored=0.0):
    """(probs (1, H, W), reference (H, W), case, group): blobs, some empty, three to a patient."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    cases = []
    for i in range(count):
        y, x, r = rng.integers(4, 16), rng.integers(4, 20), rng.integers(3, 7)
        apart = np.hypot(rows - y - rng.normal(0, 1.5), columns - x - rng.normal(0, 1.5))
        probs = 1 / (1 + np.exp((apart - r) / 1.3 + rng.normal(0, 0.6, SIZE)))
        reference = (np.hypot(rows - y, columns - x) < r).astype(np.uint8)
        if i % 4 == 3:
            reference[:] = 0
        if i == 3:
            probs[:] = 0.1 * rng.random(SIZE)
        reference[rng.random(SIZE) < ignored] = 255
        cases.append((probs.astype(np.float32)[None], reference, f"s_{i + 1}", f"p{i // 3}"))
    return cases


def scored(name, cases, size=SIZE, **changes):
    scorer = protocol(name, **changes)
    for probs, reference, case, group in cases:
        scorer.update(probs, reference, case=case, group=group, size=size)
    return scorer.compute()


def _flat(cases):
    """All valid pixels of all cases: truth and decision."""
    truth = np.concatenate([r[r != 255] == 1 for _, r, _, _ in cases])
    called = np.concatenate([(p[0] > 0.5)[r != 255] for p, r, _, _ in cases])
    return truth, called


def _reference_per_image(cases, threshold, empty_dice, empty_iou):
    dices, ious = [], []
    for probs, reference, _, _ in cases:
        keep = reference != 255
        called, true = (probs[0] > threshold)[keep], reference[keep] == 1
        both, total = np.sum(called * true), called.sum() + true.sum()
        dices.append(2 * both / total if total else empty_dice)
        ious.append(both / (total - both) if total else empty_iou)
    return np.mean(dices), np.mean(ious)


def _reference_pranet(cases):
    """Threshold by threshold on the 8-bit map."""
    sums = np.zeros((len(cases), 256, 2))
    for i, (probs, reference, _, _) in enumerate(cases):
        keep = reference != 255
        p, true = probs[0][keep].astype(float), reference[keep] == 1
        grey = np.floor((p - p.min()) / (p.max() - p.min()) * 255 + 0.5)
        for k in range(256):
            called = grey >= k
            both = (called & true).sum()
            if both:
                sums[i, k] = 2 * both / (called.sum() + true.sum()), both / (called | true).sum()
    means = sums.mean((0, 1))
    half = sums[:, 128].mean(0)
    return dict(zip(("mdice", "miou", "dice_at_half", "iou_at_half"), [*means, *half], strict=True))


def _reference_lgg(cases, batch, smooth, channels):
    """The maps of a batch repeated to `channels` and flattened, as Keras saw them."""
    rows = []
    for start in range(0, len(cases), batch):
        part = cases[start : start + batch]
        valid = [r != 255 for _, r, _, _ in part]
        p = [
            np.tile(q[0][v].astype(float), channels) for (q, *_), v in zip(part, valid, strict=True)
        ]
        t = [np.tile(r[v] == 1, channels) for (_, r, *_), v in zip(part, valid, strict=True)]
        p, t = np.concatenate(p), np.concatenate(t)
        both = (p * t).sum()
        rows.append(
            [
                (2 * both + smooth) / (p.sum() + t.sum() + smooth),
                (both + smooth) / (p.sum() + t.sum() - both + smooth),
                (both + smooth) / (t.sum() + smooth),
            ]
        )
    return dict(zip(("dice", "iou", "recall"), np.mean(rows, axis=0), strict=True))


def _reference_largest(volume):
    """The largest set of voxels that touch by faces, by flood fill."""
    left, best = set(zip(*map(list, np.nonzero(volume)), strict=True)), set()
    while left:
        part, edge = set(), [left.pop()]
        while edge:
            z, y, x = edge.pop()
            part.add((z, y, x))
            for to in (
                (z - 1, y, x),
                (z + 1, y, x),
                (z, y - 1, x),
                (z, y + 1, x),
                (z, y, x - 1),
                (z, y, x + 1),
            ):
                if to in left:
                    left.discard(to)
                    edge.append(to)
        best = max(best, part, key=len)
    largest = np.zeros(volume.shape, dtype=bool)
    for voxel in best:
        largest[voxel] = True
    return largest


def _reference_buda(cases):
    scores = []
    for group in sorted({group for *_, group in cases}):
        slices = [(p[0], r) for p, r, _, g in cases if g == group]
        called = _reference_largest(np.stack([(p > 0.5) & (r != 255) for p, r in slices]))
        true = np.stack([r == 1 for _, r in slices])
        scores.append(2 * (called & true).sum() / (called.sum() + true.sum()))
    return {"dice_mean": np.mean(scores), "dice_median": np.median(scores)}


def test_the_protocols_were_found():
    assert {"kidney", "kvasir", "lgg", "hyperkvasir", "pranet", "ducknet", "buda", "seg"} == set(
        NAMES
    )


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_file_says_its_source_and_makes_a_protocol_that_scores(path):
    text = path.read_text()
    assert text.startswith(f"# @package protocol.{path.stem}\n")  # so that several stand together
    assert "\n# Source: " in text
    scorer = instantiate(OmegaConf.load(path))
    for probs, reference, case, group in _cases():
        scorer.update(probs, reference, case=case, group=group, size=(16, 16))
    figures = scorer.compute()
    assert figures
    assert all(type(v) is float and 0 <= v <= 1 for v in figures.values())


@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_kidney_is_the_mean_over_images_with_zero_for_nothing_there(ignored):
    cases = _cases(ignored=ignored)
    figures = scored("kidney", cases)
    dice, iou = _reference_per_image(cases, 0.5, 0, 0)
    assert (figures["dice"], figures["iou"]) == pytest.approx((dice, iou))
    dice, iou = _reference_per_image(cases, 1 / (1 + np.exp(-0.5)), 0, 0)
    printed = (figures["dice_as_printed"], figures["iou_as_printed"])
    assert printed == pytest.approx((dice, iou))
    assert printed != pytest.approx((figures["dice"], figures["iou"]))


@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_kvasir_is_the_mean_over_images_with_zero_and_one_for_nothing_there(ignored):
    cases = _cases(ignored=ignored)
    dice, iou = _reference_per_image(cases, 0.5, 0, 1)
    assert scored("kvasir", cases) == pytest.approx({"dice": dice, "iou": iou})


def test_kvasir_agrees_with_the_smoothed_form_of_its_code():
    dices, ious = [], []
    for probs, reference, _, _ in _cases():
        called = (probs[0] > 0.5).astype(float)
        both, total = (called * reference).sum(), called.sum() + reference.sum()
        dices.append(2 * both / (total + 1e-8))
        ious.append((both + 1e-6) / (total - both + 1e-6))
    expected = {"dice": np.mean(dices), "iou": np.mean(ious)}
    assert scored("kvasir", _cases()) == pytest.approx(expected, abs=1e-6)


def test_an_empty_image_predicted_empty_scores_by_each_protocols_rule():
    empty = [(np.full((1, 4, 4), 0.1), np.zeros((4, 4), np.uint8), "a", "p")]
    assert scored("kidney", empty)["dice"] == 0
    assert scored("kvasir", empty) == {"dice": 0, "iou": 1}
    assert scored("pranet", empty)["mdice"] == 0
    assert scored("lgg", empty)["recall"] == 1
    assert scored("ducknet", empty)["f1"] == 0
    assert scored("hyperkvasir", empty)["mean_iou_with_background"] == 1
    assert scored("buda", empty)["dice_mean"] == 1
    assert scored("seg", empty)["dice"] == 1


@pytest.mark.parametrize(("batch_size", "channels"), [(32, 3), (4, 3), (4, 1), (1, 1)])
@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_lgg_is_soft_and_of_whole_batches(batch_size, channels, ignored):
    cases = _cases(ignored=ignored)
    figures = scored("lgg", cases, batch_size=batch_size, channels=channels)
    assert figures == pytest.approx(_reference_lgg(cases, batch_size, 100, channels), rel=1e-6)


def test_the_batch_and_the_smoothing_are_part_of_the_lgg_definition():
    cases = _cases()
    dices = [
        scored("lgg", cases)["dice"],
        scored("lgg", cases, batch_size=1)["dice"],
        scored("lgg", cases, channels=1)["dice"],
        scored("lgg", cases, smooth=1.0)["dice"],
    ]
    assert len({round(dice, 4) for dice in dices}) == 4


def test_lgg_of_two_images_worked_out_by_hand():
    reference = np.zeros((10, 10), np.uint8)
    reference[:5] = 1
    scorer = BatchPooled(at="native", batch_size=2, smooth=100.0, channels=1)
    for case, p in (("a", 0.5), ("b", 0.25)):
        scorer.update(np.full((1, 10, 10), p), reference, case=case, group=None, size=(10, 10))
    # common 25 + 12.5, called 50 + 25, true 100
    expected = {"dice": 175 / 275, "iou": 137.5 / 237.5, "recall": 137.5 / 200}
    assert scorer.compute() == pytest.approx(expected)


def test_batches_are_filled_in_natural_order_whatever_order_the_cases_come_in():
    cases = _cases(count=12)
    for order in (range(12), reversed(range(12)), [5, 11, 0, 3, 1, 2, 4, 10, 9, 8, 7, 6]):
        figures = scored("lgg", [cases[i] for i in order], batch_size=5)
        assert figures == pytest.approx(_reference_lgg(cases, 5, 100, 3), rel=1e-6)


@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_hyperkvasir_pools_pixels_and_counts_the_background(ignored):
    cases = _cases(ignored=ignored)
    truth, called = _flat(cases)
    precision, recall = precision_score(truth, called), recall_score(truth, called)
    assert abs(precision - recall) > 0.01
    assert scored("hyperkvasir", cases) == pytest.approx(
        {
            "mean_iou_with_background": jaccard_score(truth, called, average="macro"),
            "accuracy": accuracy_score(truth, called),
            "precision": precision,
            "recall": recall,
            "f1": f1_score(truth, called),
            "precision_as_printed": recall,
            "recall_as_printed": precision,
        }
    )


def test_the_background_lifts_the_mean_iou_as_in_the_document():
    """F1 .945 at its share of foreground: IoU .896 alone, .926 as a mean of both."""
    probs, reference = np.zeros((1, 35, 100)), np.zeros((35, 100), np.uint8)
    truth, called = reference.ravel(), probs[0].ravel()
    truth[:1010] = 1  # 945 found, 65 missed, 45 invented
    called[65:1055] = 1
    figures = scored("hyperkvasir", [(probs, reference, "a", None)])
    assert figures["f1"] == pytest.approx(0.945, abs=5e-4)
    assert figures["mean_iou_with_background"] == pytest.approx(0.926, abs=5e-3)


@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_ducknet_pools_pixels_as_scikit_learn_does(ignored):
    cases = _cases(ignored=ignored)
    truth, called = _flat(cases)
    assert scored("ducknet", cases) == pytest.approx(
        {
            "f1": f1_score(truth, called),
            "iou": jaccard_score(truth, called),
            "precision": precision_score(truth, called),
            "recall": recall_score(truth, called),
            "accuracy": accuracy_score(truth, called),
        }
    )


@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_pranet_agrees_with_256_thresholds_one_at_a_time(ignored):
    cases = _cases(ignored=ignored)
    assert scored("pranet", cases) == pytest.approx(_reference_pranet(cases))


def test_pranet_of_a_perfect_map_loses_only_the_lowest_threshold():
    reference = np.zeros((10, 10), np.uint8)
    reference[:2] = 1
    probs = 0.2 + 0.3 * reference[None]  # never above one half, until it is stretched
    figures = scored("pranet", [(probs, reference, "a", None)])
    assert figures["mdice"] == pytest.approx((255 + 40 / 120) / 256)
    assert figures["miou"] == pytest.approx((255 + 20 / 100) / 256)
    assert figures["dice_at_half"] == 1
    assert scored("kvasir", [(probs, reference, "a", None)])["dice"] == 0


def test_pranet_of_a_constant_map_scores_at_the_lowest_threshold_alone():
    reference = np.zeros((10, 10), np.uint8)
    reference[:2] = 1
    figures = scored("pranet", [(np.full((1, 10, 10), 0.9), reference, "a", None)])
    assert figures["mdice"] == pytest.approx(40 / 120 / 256)
    assert figures["dice_at_half"] == 0


@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_buda_agrees_with_a_flood_fill_of_each_patient(ignored):
    cases = _cases(ignored=ignored)
    figures = scored("buda", cases)
    assert figures == pytest.approx(_reference_buda(cases))
    assert figures["dice_mean"] != pytest.approx(scored("seg", cases)["dice_group"], abs=1e-3)


def _slice(*boxes):
    mask = np.zeros((8, 8), np.uint8)
    for top, left, side in boxes:
        mask[top : top + side, left : left + side] = 1
    return mask


def test_only_the_largest_component_of_a_volume_counts():
    tumour, speck, truth = (2, 2, 3), (7, 7, 1), _slice((2, 2, 3))
    scorer = PerVolume(at="native", threshold=0.5)
    for i in range(2):
        probs = _slice(tumour, speck)[None].astype(float)
        scorer.update(probs, truth, case=f"a_{i}", group="a", size=(8, 8))
    scorer.update(
        _slice(speck)[None].astype(float), _slice((0, 0, 2)), case="b_1", group="b", size=(8, 8)
    )
    assert scorer.compute() == {"dice_mean": 0.5, "dice_median": 0.5}


def test_a_component_reaches_over_slices_in_natural_order_of_their_names():
    """A thin lesion of 8 voxels in all slices; false blocks of 5 in slices 1 and 10, which would be
    the larger piece if 10 came after 1.
    """
    scorer = PerVolume(at="native", threshold=0.5)
    thin = _slice((0, 0, 1), (0, 1, 1))
    for number in (10, 9, 2, 1):
        probs = (thin | _slice((4, 4, 2), (4, 6, 1))) if number in (1, 10) else thin
        scorer.update(probs[None] * 1.0, thin, case=f"scan_{number}", group="a", size=(8, 8))
    assert scorer.compute()["dice_mean"] == 1


def test_voxels_that_touch_by_an_edge_alone_are_two_components():
    scorer = PerVolume(at="native", threshold=0.5)
    for number, mask in enumerate((_slice((0, 0, 2)), _slice((2, 0, 1)))):
        probs = mask[None].astype(float)
        scorer.update(probs, mask, case=f"a_{number}", group="a", size=(8, 8))
    assert scorer.compute()["dice_mean"] == pytest.approx(2 * 4 / (4 + 5))


def test_the_mean_and_the_median_over_patients_differ():
    scorer = PerVolume(at="native", threshold=0.5)
    for group, called in (("a", (2, 2, 2)), ("b", (2, 2, 2)), ("c", (5, 5, 2))):
        probs = _slice(called)[None].astype(float)
        scorer.update(probs, _slice((2, 2, 2)), case=f"{group}_1", group=group, size=(8, 8))
    assert scorer.compute() == pytest.approx({"dice_mean": 2 / 3, "dice_median": 1})


def test_a_volume_needs_a_group_and_slices_of_one_size():
    scorer = PerVolume(at="native", threshold=0.5)
    probs, reference = np.zeros((1, 8, 8)), np.zeros((8, 8), np.uint8)
    with pytest.raises(ValueError, match="a_1"):
        scorer.update(probs, reference, case="a_1", group=None, size=(8, 8))
    scorer.update(probs, reference, case="a_1", group="a", size=(8, 8))
    scorer.update(probs[:, :4], reference[:4], case="a_2", group="a", size=(8, 8))
    with pytest.raises(ValueError, match="a differ"):
        scorer.compute()


def test_seg_is_the_contract_of_this_project():
    cases = _cases(ignored=0.1)
    called = torch.from_numpy(np.stack([p[0] > 0.5 for p, *_ in cases])).long()
    target = torch.from_numpy(np.stack([r for _, r, *_ in cases]))
    counts = confusion(called, target, classes=1).numpy()
    groups = [group for *_, group in cases]
    assert scored("seg", cases) == pytest.approx(summarize(counts, groups))
    alone = [(p, r, case, None) for p, r, case, _ in cases]
    assert scored("seg", alone) == pytest.approx(summarize(counts))


def test_seg_scores_several_classes_by_the_likeliest():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet([1, 1, 1], (5, 6, 7)).transpose(0, 3, 1, 2)
    reference = rng.integers(0, 3, (5, 6, 7)).astype(np.uint8)
    cases = [(p, r, str(i), None) for i, (p, r) in enumerate(zip(probs, reference, strict=True))]
    called = torch.from_numpy(probs.argmax(1))
    counts = confusion(called, torch.from_numpy(reference), classes=2).numpy()
    assert scored("seg", cases) == pytest.approx(summarize(counts))


@pytest.mark.parametrize("name", BINARY)
def test_several_classes_are_refused_where_the_definition_has_one(name):
    with pytest.raises(ValueError, match="2: .*protocol=seg"):
        protocol(name).update(
            np.full((3, 4, 4), 1 / 3), np.zeros((4, 4), np.uint8), case="a", group="p", size=(4, 4)
        )
    with pytest.raises(ValueError, match="2: .*protocol=seg"):
        protocol(name).update(
            np.zeros((1, 4, 4)), np.full((4, 4), 2, np.uint8), case="a", group="p", size=(4, 4)
        )


@pytest.mark.parametrize("name", NAMES)
def test_two_channels_are_background_and_the_one_class(name):
    cases = _cases()
    two = [(np.concatenate([1 - p, p]), r, case, group) for p, r, case, group in cases]
    assert scored(name, two) == pytest.approx(scored(name, cases), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_cases_that_come_twice_count_once_and_their_order_does_not_matter(name):
    cases = _cases()
    expected = scored(name, cases)
    assert scored(name, [*cases[::-1], cases[0], cases[4]]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_two_halves_join_to_the_whole(name):
    cases = _cases()
    halves = [protocol(name), protocol(name)]
    for i, (probs, reference, case, group) in enumerate(cases):
        halves[i % 2].update(probs, reference, case=case, group=group, size=SIZE)
    halves[0].cases |= halves[1].cases
    assert halves[0].compute() == pytest.approx(scored(name, cases), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_cases_of_one_name_in_two_groups_are_two(name):
    first, second = _cases(count=2)
    both = scored(name, [(*first[:2], "a", "p"), (*second[:2], "a", "q")])
    assert both == pytest.approx(scored(name, [(*first[:2], "a", "p"), (*second[:2], "b", "q")]))
    assert both != pytest.approx(scored(name, [(*second[:2], "a", "q")]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["some", "empty", "full"])
def test_a_failed_prediction_scores_nothing(name, kind):
    """All figures of a set of one failed case; NaN in one pixel is enough."""
    probs, reference, case, group = _cases()[0]
    reference = {"some": reference, "empty": reference * 0, "full": reference * 0 + 1}[kind]
    probs = probs.copy()
    probs[0, 3, 5] = np.nan
    figures = scored(name, [(probs, reference, case, group)])
    if name == "lgg":  # its smoothing gives something for nothing
        total, positives = 3 * reference.size, 3 * int((reference == 1).sum())
        expected = {"dice": 100 / (total + 100), "iou": 100 / (total + 100)}
        assert figures == pytest.approx(expected | {"recall": 100 / (positives + 100)})
    else:
        assert set(figures.values()) == {0.0}


def test_a_volume_with_one_failed_slice_scores_nothing():
    scorer, full = PerVolume(at="native", threshold=0.5), np.ones((8, 8), np.uint8)
    for number, value in enumerate((1.0, np.nan, 1.0)):
        probs = np.full((1, 8, 8), value)
        scorer.update(probs, full, case=f"a_{number}", group="a", size=(8, 8))
    assert scorer.compute() == {"dice_mean": 0.0, "dice_median": 0.0}


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_prediction_is_not_lost_when_the_map_is_shrunk(name):
    probs, reference = np.full((1, 40, 40), 0.9), np.ones((40, 40), np.uint8)
    probs[0, 0, 0] = np.nan  # between the pixels that are looked at
    figures = scored(name, [(probs, reference, "a", "p")], size=(10, 10), at="training")
    assert max(figures.values()) < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_prediction_lowers_the_figures_of_the_set(name):
    cases = _cases()
    lost = [(np.full_like(cases[0][0], np.nan), *cases[0][1:]), *cases[1:]]
    before, after = scored(name, cases), scored(name, lost)
    main = next(n for n in ("mdice", "dice_mean", "f1", "dice") if n in before)
    assert after[main] < before[main]
    assert after.keys() == before.keys()


def _doubled(array):
    return array.repeat(2, axis=-2).repeat(2, axis=-1)


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_at_the_networks_size_sees_maps_and_masks_of_that_size(name):
    cases = _cases()
    large = [(_doubled(p), _doubled(r), case, group) for p, r, case, group in cases]
    expected = scored(name, cases)
    assert scored(name, large, at="training") == pytest.approx(expected, rel=1e-5)
    assert scored(name, large, at=list(SIZE)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("side", [3, 5, 11])
def test_masks_are_resized_to_the_nearest_pixel_and_ignored_pixels_stay_ignored(side):
    reference = np.random.default_rng(0).choice([0, 1, 255], (8, 8)).astype(np.uint8)
    nearest = ((np.arange(side) + 0.5) * 8 / side).astype(int)
    small = reference[np.ix_(nearest, nearest)]
    everything = [(np.full((1, 8, 8), 0.9), reference, "a", "p")]
    figures = scored("ducknet", everything, at=[side, side])
    assert figures["precision"] == pytest.approx((small == 1).sum() / (small != 255).sum())


def test_each_protocol_asks_for_its_own_resolution():
    resolutions = {path.stem: OmegaConf.load(path).at for path in FILES}
    assert resolutions == {
        "kidney": "training",
        "kvasir": "training",
        "lgg": "training",
        "hyperkvasir": "training",
        "ducknet": [352, 352],
        "pranet": "native",
        "buda": "native",
        "seg": "native",
    }


def test_the_thresholds_are_of_probabilities_and_one_half_is_background():
    scorer = PerImage(
        at="native", threshold=0.5, threshold_as_printed=None, empty_dice=0.0, empty_iou=0.0
    )
    probs = np.array([[[0.5, np.nextafter(0.5, 1)]]])
    scorer.update(probs, np.array([[0, 1]], np.uint8), case="a", group=None, size=(1, 2))
    assert scorer.compute() == {"dice": 1, "iou": 1}


@pytest.mark.parametrize("name", NAMES)
def test_logits_shapes_and_resolutions_that_mean_nothing_are_refused(name):
    reference = np.zeros((4, 4), np.uint8)
    more = {"case": "a", "group": "p", "size": (4, 4)}
    with pytest.raises(ValueError, match="sigmoid"):
        protocol(name).update(np.full((1, 4, 4), -3.0), reference, **more)
    with pytest.raises(ValueError, match=r"must be \(C, H, W\)"):
        protocol(name).update(np.zeros((1, 4, 5)), reference, **more)
    for at in ("train", [352]):
        with pytest.raises(ValueError, match="at "):
            protocol(name, at=at).update(np.zeros((1, 4, 4)), reference, **more)
    with pytest.raises(ValueError, match="no case"):
        protocol(name).compute()


def test_values_that_mean_nothing_are_refused_at_once():
    with pytest.raises(ValueError, match="dice; .*f1"):
        PixelPooled(at="native", threshold=0.5, figures=["f1", "dice"])
    with pytest.raises(ValueError, match="batch_size 0"):
        BatchPooled(at="native", batch_size=0, smooth=1.0, channels=1)
