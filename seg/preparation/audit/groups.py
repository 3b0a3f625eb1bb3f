"""Groups that the names of a set suggest."""

import re
from collections import Counter
from collections.abc import Sequence

from seg.data.pairs import group_of


def suggest_group(cases: Sequence[str]) -> str | None:
    """A `dataset.group` under which the names read as several images of each patient, or None.

    `Image_01L`, `Image_01R`; `p12_3`; a folder each. Only where most cases would share a group,
    there are three groups or more, and each bears a number (or there are ten and more).
    """
    for rule in (r"([^/]+?)[-_ ]?[LR]\.\w+$", r"([^/]*[^/\d])[-_ ]?[LR]\.\w+$"):
        if _groups_well(cases, rule):
            return rule
    for rule in (r"([^/]*\d[^/]*?)[-_ ]+[A-Za-z]*\d+\.\w+$", r"([^/]+?)[-_ ]+\d+\.\w+$"):
        if _groups_well(cases, rule):
            return rule
    return "folder" if _groups_well(cases, "folder") else None


def _groups_well(cases: Sequence[str], rule: str) -> bool:
    try:
        groups = Counter(group_of(case, rule) for case in cases)
    except ValueError:
        return False
    shared = sum(count for count in groups.values() if count > 1)
    numbered = sum(bool(re.search(r"\d", group.rpartition("/")[2])) for group in groups)
    enough = len(groups) >= 3 and (numbered == len(groups) or len(groups) >= 10)
    return enough and shared > len(cases) / 2
