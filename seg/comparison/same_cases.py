"""Whether configurations were tested on the same cases, and if not, which differ and how."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from seg.comparison.configurations import Configuration
from seg.runs.case_table import CaseTable

SHOWN = 3  # names of cases in a message
LISTED = 8  # configurations in a message


def require_same(configurations: Sequence[Configuration], *, column: str) -> None:
    """Raises ValueError where not all were tested on the same reference masks, or not all have
    `column` for the same cases. The odd ones are named, held against what most of them have.
    """
    alike = Counter(_content(c.tables[0], column) for c in configurations)
    usual = alike.most_common(1)[0][0]
    reference = next(c for c in configurations if _content(c.tables[0], column) == usual)
    problems = []
    for c in configurations:
        for table in c.tables:
            if _content(table, column) != usual:
                said = difference(table, reference.tables[0], column=column)
                where = "another run of it" if c is reference else reference.label
                problems.append(f"  {c.label}: {said}, against {where}")
                break
    if not problems:
        return
    hidden = len(problems) - LISTED
    listed = problems[:LISTED] + ([f"  ... and {hidden} more"] if hidden > 0 else [])
    mend = "compare them apart (runs=[A,B])"
    if len({c.tables[0].cases for c in configurations}) > 1:
        mend += ", or on the cases that all have: common=true"
    raise ValueError(
        "\n".join(["these were not tested on the same cases and are not ranked:", *listed, mend])
    )


def _content(table: CaseTable, column: str) -> Hashable:
    values = table.values.get(column)
    holes = None if values is None else np.isnan(values).tobytes()
    return table.cases, table.classes, table.reference.tobytes(), holes


def difference(table: CaseTable, other: CaseTable, *, column: str) -> str:
    """How the cases of `table` differ from those of `other`, in words; "" if they do not."""
    if table.classes != other.classes:
        return f"classes {', '.join(table.classes)} instead of {', '.join(other.classes)}"
    missing = sorted(set(other.cases) - set(table.cases))
    extra = sorted(set(table.cases) - set(other.cases))
    if missing or extra:
        said = [f"{len(missing)} cases missing ({_some(missing)})"] if missing else []
        said += [f"{len(extra)} cases extra ({_some(extra)})"] if extra else []
        return ", ".join(said)
    mine, theirs = table.reference, other.reference
    sized = np.flatnonzero(mine[:, -1] != theirs[:, -1])
    if len(sized):
        i = int(sized[0])
        return (
            f"{len(sized)} cases at another image size, or with other void pixels "
            f"({table.cases[i]}: {mine[i, -1]:.0f} pixels instead of {theirs[i, -1]:.0f})"
        )
    masks = np.flatnonzero((mine != theirs).any(1))
    if len(masks):
        i = int(masks[0])
        k = int(np.flatnonzero(mine[i] != theirs[i])[0])
        return (
            f"{len(masks)} cases with other masks ({table.cases[i]}: {table.classes[k]} has "
            f"{mine[i, k]:.0f} pixels instead of {theirs[i, k]:.0f})"
        )
    a, b = table.values.get(column), other.values.get(column)
    if a is None or b is None:
        return "" if a is b else f"no column {column}" if a is None else f"has a column {column}"
    holes = np.flatnonzero((np.isnan(a) != np.isnan(b)).any(1))
    names = [table.cases[i] for i in holes]
    return f"{column} is there for other cases ({_some(names)})" if names else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def cut_to_common(configurations: Sequence[Configuration]) -> str | None:
    """Cut the tables of all to the cases that all have; what was done in words, None if nothing.

    Raises ValueError where they share no case.
    """
    sets = [set(c.tables[0].cases) for c in configurations]
    shared = set.intersection(*sets)
    if not shared:
        raise ValueError(
            "common=true: the runs share no test case; "
            + "; ".join(f"{c.label}: {_some(c.tables[0].cases)}" for c in configurations[:LISTED])
        )
    sizes = [len(s) for s in sets]
    if max(sizes) == len(shared):
        return None
    for c in configurations:
        c.tables = [table.keep(shared) for table in c.tables]
        kept = [[table.keep(shared) for table in fold] for fold in c.folds]
        c.folds = [fold for fold in kept if fold[0].cases]
    held = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    return f"compared on the {len(shared)} cases that all have, of {held} that each was tested on"


def common_groups(configurations: Sequence[Configuration]) -> tuple[np.ndarray, list[str], bool]:
    """(M,) group numbers and the groups' names; whether the runs group the cases differently.

    The coarsest grouping is taken: cases of one patient are not independent, whoever says so.
    """
    groupings = {c.tables[0].groups for c in configurations}
    coarsest = min(groupings, key=lambda names: (len(set(names)), names))
    names, index = np.unique(np.asarray(coarsest), return_inverse=True)
    return index, names.tolist(), len(groupings) > 1
