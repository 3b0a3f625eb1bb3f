"""Hyperparameters show what was trained, in texts that fit a column."""

from seg.training.hyperparameters import columns, hyperparameters


def test_columns_are_dotted_keys_and_class_names():
    config = {
        "output_dir": "/somewhere",
        "optimizer": {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 1e-3},
        "loss": {
            "_target_": "seg.losses.weighted_sum.WeightedSum",
            "losses": [{"_target_": "a.BCELoss"}, {"_target_": "b.DiceLoss", "smooth": 1}],
            "weights": [1.0, 2.0],
        },
        "dataset": {"root": "/data", "split": {"val": 0.1, "fold": None}},
    }
    assert hyperparameters(config) == {
        "optimizer": "AdamW",
        "optimizer.lr": 1e-3,
        "loss": "WeightedSum",
        "loss.losses": "BCELoss, DiceLoss",
        "loss.weights": "[1.0, 2.0]",
        "dataset.split.val": 0.1,
        "dataset.split.fold": "None",
    }


CONFIG = {
    "output_dir": "/somewhere",
    "seed": 42,
    "model": {"_target_": "seg.models.unet.UNet", "width": 64, "norm": "batch"},
    "loss": {"_target_": "seg.losses.weighted_sum.WeightedSum", "terms": {}},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 1e-3, "betas": [0.9, 0.999]},
    "dataset": {"_target_": "a.FolderSource", "name": "polyps", "image_size": 128, "window": None},
    "logger": {"tensorboard": {"_target_": "x"}},
}


def test_columns_are_the_choices_what_is_varied_and_what_was_given() -> None:
    choices = {"model": "unet", "loss": "bce_dice", "optimizer": "adamw", "trainer": "cpu"}
    assert columns(CONFIG, choices, ["model=unet", "+model.norm=batch", "output_dir=x"]) == {
        "dataset": "polyps",
        "model": "unet",
        "loss": "bce_dice",
        "optimizer": "adamw",
        "optimizer.lr": 1e-3,
        "model.width": 64,
        "dataset.image_size": 128,
        "seed": 42,
        "model.norm": "batch",
    }


def test_classes_stand_for_choices_that_are_not_known() -> None:
    shown = columns(CONFIG, None, None)
    assert (shown["model"], shown["loss"], shown["optimizer"]) == ("UNet", "WeightedSum", "AdamW")
    assert "model.norm" not in shown
