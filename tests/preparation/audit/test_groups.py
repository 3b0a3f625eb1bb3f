"""A grouping is suggested where names repeat, and nowhere else."""

import pytest

from seg.data.pairs import group_of
from seg.data.sources.folder import Folder
from seg.preparation.audit import suggest_group


@pytest.mark.parametrize(
    ("names", "rule", "group"),
    [
        ([f"images/Image_{i:02}{s}.jpg" for i in range(1, 9) for s in "LR"], "LR", "Image_01"),
        ([f"images/p{i}_{k}.png" for i in range(4) for k in range(3)], "frame", "p0"),
        ([f"images/P{i}-slice{k}.png" for i in range(4) for k in range(3)], "frame", "P0"),
        ([f"images/pat{i}/{k}.png" for i in range(4) for k in range(3)], "folder", "images/pat0"),
        ([f"images/{i:03}.bmp" for i in range(30)], None, None),
        ([f"images/img_{i}.png" for i in range(30)], None, None),
        ([f"images/{k}_{i}.png" for k in ("polyp", "normal", "x") for i in range(9)], None, None),
    ],
)
def test_a_grouping_is_suggested_where_names_repeat(
    names: list[str], rule: str | None, group: str | None
) -> None:
    found = suggest_group(names)
    assert (found is None) == (rule is None)
    if found is not None:
        assert group_of(names[0], found) == group
        Folder(root=".", group=found)
