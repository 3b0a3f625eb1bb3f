"""What the report calls the parts of a run."""

from pathlib import Path

import pytest
import yaml

from seg.report.run.sentences import data_name, part
from seg.runs.folder import RunFolder

BCE, DICE = {"_target_": "seg.losses.bce.BCELoss"}, {"_target_": "seg.losses.dice.DiceLoss"}
SUM = {"_target_": "seg.losses.weighted_sum.WeightedSum"}


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (DICE, "DiceLoss"),
        (SUM | {"terms": {"bce": BCE | {"scale": 2.0}, "dice": DICE}}, "BCELoss + DiceLoss"),
        (SUM | {"losses": [BCE, DICE], "weights": [1.0, 1.0]}, "BCELoss + DiceLoss"),
    ],
)
def test_a_sum_of_losses_is_called_by_its_terms(loss: dict, name: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"loss": loss}))
    assert part(RunFolder(tmp_path), "loss") == name


def test_a_data_set_is_called_by_its_name_not_by_the_folder_it_lies_in(tmp_path: Path) -> None:
    for dataset, name in (
        ({"name": "lgg", "root": "/data/kaggle_3m"}, "lgg"),
        ({"root": "/data/polyps"}, "polyps"),  # of an earlier version
    ):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"dataset": dataset}))
        assert data_name(RunFolder(tmp_path)) == name
