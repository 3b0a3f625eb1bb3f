"""The pictures beside the figures of an evaluation."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.cli import build
from tests.test_evaluate import score, untrained

SPLIT = ["dataset.split.val=4", "dataset.split.test=4"]


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row each: drawing five takes longer than all else here."""
    monkeypatch.setattr(build, "PANEL_ROWS", 1)


@pytest.mark.parametrize("several", [False, True])
def test_every_picture_shows_something_of_images_of_many_sizes(
    several: bool, folder: Path, tmp_path: Path
) -> None:
    for i, path in enumerate(sorted((folder / "masks").iterdir())):
        image, mask = cv2.imread(str(folder / "images" / path.name)), cv2.imread(str(path), 0)
        size = 48 + 3 * (i % 3), 40 + 2 * i
        mask[:10, :10] = 128 if several else 0
        cv2.imwrite(str(folder / "images" / path.name), cv2.resize(image, size))
        cv2.imwrite(str(path), cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST))
    more = ["dataset.classes={corner: 128, disc: 255}", "loss=ce_dice"] if several else []
    run = untrained(folder, tmp_path, *SPLIT, *more)
    score(run)
    names = {"pr_curve", "reliability", "failure_prediction"} | (
        {"confusion"} if several else set()
    )
    place = run / "evaluate" / "test"
    assert {path.stem for path in place.glob("*.png")} == names
    panels = {f"panels/{name}" for name in ("worst", "median", "best")}
    for name in names | panels:
        assert np.std(cv2.imread(str(place / f"{name}.png"))) > 1, name


def test_pictures_of_an_earlier_evaluation_do_not_stay_beside_new_figures(
    folder: Path, tmp_path: Path
) -> None:
    run = untrained(folder, tmp_path, *SPLIT)
    place = run / "evaluate" / "test"

    def files() -> set[str]:
        return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}

    score(run)
    alone = files()
    more = ["protocol.robustness.noise=[0.9]", *(f"protocol.robustness.{kind}=[]" for kind in (
        "jpeg", "blur", "brightness", "scale", "rotation"))]  # fmt: skip
    score(run, "protocol=[seg,robustness]", "figures=[pdf,svg,png]", *more)
    (place / "notes.txt").write_text("of a person")
    assert {"robustness.png", "robustness.pdf", "panels/worst_300dpi.png"} < files()
    assert "test_robustness.csv" in files()
    score(run)
    assert files() == alone | {"notes.txt"}
