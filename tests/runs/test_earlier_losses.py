"""Losses of earlier versions' configurations, by the names that they have now."""

from seg.cli.compose import compose, plain
from seg.runs import resume
from seg.runs.earlier_losses import named

BCE = {"_target_": "seg.losses.bce.BCELoss", "pos_weight": 1.0}
CE = {"_target_": "seg.losses.ce.CELoss", "weight": [1, 5]}
DICE = {"_target_": "seg.losses.dice.DiceLoss", "smooth": 1.0, "pooled": False}
SUM = {"_target_": "seg.losses.weighted_sum.WeightedSum"}


def test_a_list_of_losses_gets_the_names_of_their_files():
    loss = SUM | {"losses": [CE, DICE, DICE], "weights": [1.0, 0.5, 2.0]}
    terms = named({"loss": loss})["loss"]["terms"]
    assert {name: term["scale"] for name, term in terms.items()} == {
        "ce": 1.0, "dice": 0.5, "dice_2": 2.0,
    }  # fmt: skip
    assert terms["ce"]["class_weights"] == [1, 5]
    assert "weight" not in terms["ce"]
    assert loss["losses"] == [CE, DICE, DICE]  # as it was


def test_a_configuration_with_names_is_the_same():
    config = plain(compose(["loss=ce_dice", "loss.terms.ce.class_weights=[1,5]"]))
    assert named(config) == config
    assert named({}) == {}


def test_an_earlier_run_has_the_loss_of_todays_default():
    now = plain(compose([]))
    before = now | {"loss": SUM | {"losses": [BCE, DICE], "weights": [1.0, 1.0]}}
    assert resume.differences(before, now) == []
    before["loss"]["weights"] = [1.0, 0.5]
    assert resume.differences(before, now) == ["loss.terms.dice.scale: 0.5 -> 1.0"]


def test_weights_alone_are_the_scales_of_the_terms():
    now = plain(compose(["+loss.weights=[1.0,0.5]"]))
    before = plain(compose([])) | {"loss": SUM | {"losses": [BCE, DICE], "weights": [1.0, 0.5]}}
    assert resume.differences(before, now) == []


def test_an_earlier_stage_too():
    now = plain(compose(["experiment=hyperkvasir", "dataset.root=x", "loss@stages.dice.loss=ce"]))
    before = plain(compose(["experiment=hyperkvasir", "dataset.root=x"]))
    before["stages"]["dice"]["loss"] = CE | {"weight": None}
    assert resume.differences(before, now) == []
