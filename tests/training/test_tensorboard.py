"""HParams show what was trained, in words that fit a column."""

from seg.training.tensorboard import hyperparameters


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
