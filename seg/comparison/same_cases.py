"""Whether runs were tested on the same cases: seeds of one configuration, folds, configurations."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from seg.comparison.configurations import FOLD, SEEDS, ComparedRun, Configuration
from seg.runs.case_table import CaseTable, pool

SHOWN = 3  # names of cases in a message
LISTED = 8  # configurations in a message


def pool_runs(label: str, runs: Sequence[ComparedRun], *, common: bool = False) -> Configuration:
    """The configuration of some runs, with a table for each seed, its folds pooled.

    Args:
        label: of the configuration.
        runs: its runs, all with a table. A seed that lacks a fold is left out, with a note.
        common: whether runs whose cases overlap are cut to the cases that they share.
    Raises:
        ValueError: without `common`, the runs neither have the same cases (seeds, or folds on
            another data set) nor different ones (folds). It names two of them.
    """
    notes: list[str] = []
    repeats: dict[Hashable, list[ComparedRun]] = defaultdict(list)
    seen: Counter[Hashable] = Counter()
    for run in runs:  # the n-th run of a seed and fold belongs to the n-th repetition of that seed
        seed = tuple(run.config.get(key) for key in SEEDS)
        seed_and_fold = (*seed, run.config.get(FOLD))
        repeats[(*seed, seen[seed_and_fold])].append(run)
        seen[seed_and_fold] += 1
    if max(seen.values()) > 1:
        notes.append("some runs have the same seed: their spread is less than that of seeds")
    parts = list(repeats.values())
    if len({_cases([run]) for run in runs}) == 1:
        if len(parts) < len(runs):
            notes.append("folds that were tested on the same cases are averaged, as seeds are")
        parts = [[run] for run in runs]
    elif len({_cases(part) for part in parts}) > 1:
        # disjoint where each fold was trained with a seed of its own
        parts = [list(runs)] if _are_disjoint(parts) else _with_all_folds(parts, notes)
    runs = [run for part in parts for run in part]
    are_folds = all(_are_disjoint([[run] for run in part]) for part in parts)
    if len({_cases(part) for part in parts}) > 1 or not are_folds:
        if not common:
            raise ValueError(_overlap(label, runs))
        return _cut_to_shared(label, runs, notes)
    folds: dict[tuple[str, ...], list[CaseTable]] = defaultdict(list)
    for run in runs:
        folds[run.table.cases].append(run.table)
    planned = runs[0].config.get("dataset.folds", runs[0].config.get("dataset.split.folds"))
    if len(folds) > 1 and isinstance(planned, int) and len(folds) != planned:
        notes.append(f"{len(folds)} of {planned} folds")
    tables = [pool([run.table for run in part]) for part in parts]
    return Configuration(label, runs, tables, list(folds.values()) if len(folds) > 1 else [], notes)


def _cases(part: Iterable[ComparedRun]) -> frozenset[str]:
    return frozenset(case for run in part for case in run.table.cases)


def _are_disjoint(parts: Sequence[list[ComparedRun]]) -> bool:
    return sum(len(_cases(part)) for part in parts) == len(_cases(r for p in parts for r in p))


def _with_all_folds(parts: list[list[ComparedRun]], notes: list[str]) -> list[list[ComparedRun]]:
    """The repetitions that have all folds; a note on each of the others."""
    folds = [frozenset(run.config.get(FOLD) for run in part) for part in parts]
    most = max(folds, key=len)
    if len(most) == 1:
        return parts
    kept = []
    for part, present in zip(parts, folds, strict=True):
        if present < most:
            missing = ", ".join(str(fold) for fold in sorted(most - present, key=str))
            seed = part[0].config.get("seed")
            notes.append(f"seed {seed} left out of all figures: no finished fold {missing}")
        else:
            kept.append(part)
    return kept


def _overlap(label: str, runs: Sequence[ComparedRun]) -> str:
    for a, b in combinations(runs, 2):
        mine, theirs = set(a.table.cases), set(b.table.cases)
        if mine != theirs and mine & theirs:
            return (
                f"{label}: runs {a.name} and {b.name} have one configuration and share "
                f"{len(mine & theirs)} of their {len(mine)} and {len(theirs)} test cases: neither "
                "seeds (the same cases) nor folds (different cases). Compare them apart, or on "
                "what they share: common=true"
            )
    return f"{label}: its runs are neither seeds (the same cases) nor folds (different cases)"


def _cut_to_shared(label: str, runs: list[ComparedRun], notes: list[str]) -> Configuration:
    shared = frozenset.intersection(*(_cases([run]) for run in runs))
    if not shared:
        raise ValueError(f"{label}: its {len(runs)} runs share no test case")
    notes.append(f"{len(runs)} runs with different test cases, cut to the {len(shared)} they share")
    return Configuration(label, runs, [run.table.keep(shared) for run in runs], notes=notes)


def require_same_cases(configurations: Sequence[Configuration], *, column: str) -> None:
    """Raises ValueError where not all were tested on the same reference masks, or `column` is not
    there for the same cases. It names those that differ from what most of them have.
    """
    contents = Counter(_content(c.tables[0], column) for c in configurations)
    usual = contents.most_common(1)[0][0]
    reference = next(c for c in configurations if _content(c.tables[0], column) == usual)
    problems = []
    for c in configurations:
        odd = next((table for table in c.tables if _content(table, column) != usual), None)
        if odd is not None:
            other = "another run of it" if c is reference else reference.label
            reason = difference(odd, reference.tables[0], column=column)
            problems.append(f"  {c.label}: {reason}, against {other}")
    if not problems:
        return
    hidden = len(problems) - LISTED
    listed = problems[:LISTED] + ([f"  ... and {hidden} more"] if hidden > 0 else [])
    fix = "compare them apart (runs=[A,B])"
    if len({c.tables[0].cases for c in configurations}) > 1:
        fix += ", or on the cases that all have: common=true"
    raise ValueError(
        "\n".join(["these were not tested on the same cases and are not ranked:", *listed, fix])
    )


def _content(table: CaseTable, column: str) -> Hashable:
    values = table.values.get(column)
    gaps = None if values is None else np.isnan(values).tobytes()
    return table.cases, table.classes, table.reference.tobytes(), gaps


def difference(table: CaseTable, other: CaseTable, *, column: str) -> str:
    """How the cases of `table` differ from those of `other`, in words; "" if they do not."""
    if table.classes != other.classes:
        return f"classes {', '.join(table.classes)} instead of {', '.join(other.classes)}"
    missing = sorted(set(other.cases) - set(table.cases))
    extra = sorted(set(table.cases) - set(other.cases))
    if missing or extra:
        counts = [f"{len(missing)} cases missing ({_some(missing)})"] if missing else []
        counts += [f"{len(extra)} cases extra ({_some(extra)})"] if extra else []
        return ", ".join(counts)
    mine, theirs = table.reference, other.reference
    sized = np.flatnonzero(mine[:, -1] != theirs[:, -1])
    if len(sized):
        i = int(sized[0])
        return (
            f"{len(sized)} cases at another image size, or with other ignored pixels "
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
    gaps = np.flatnonzero((np.isnan(a) != np.isnan(b)).any(1))
    names = [table.cases[i] for i in gaps]
    return f"{column} is there for other cases ({_some(names)})" if names else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def cut_to_common(configurations: Sequence[Configuration]) -> str | None:
    """Cut the tables of all configurations to the cases that all have.

    Returns:
        A note on what was done, None if nothing was.
    Raises:
        ValueError: they share no case.
    """
    sets = [set(c.tables[0].cases) for c in configurations]
    shared = set.intersection(*sets)
    if not shared:
        raise ValueError(
            "common=true: the runs share no test case; "
            + "; ".join(f"{c.label}: {_some(c.tables[0].cases)}" for c in configurations[:LISTED])
        )
    sizes = [len(cases) for cases in sets]
    if max(sizes) == len(shared):
        return None
    for c in configurations:
        c.tables = [table.keep(shared) for table in c.tables]
        folds = [[table.keep(shared) for table in fold] for fold in c.folds]
        c.folds = [fold for fold in folds if fold[0].cases]
    before = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    return f"compared on the {len(shared)} cases that all have, of {before} that each was tested on"


def common_groups(
    configurations: Sequence[Configuration],
) -> tuple[NDArray[np.intp], list[str], bool]:
    """The grouping of the cases (patients, videos) that is used for all configurations.

    Where runs group the cases differently, it is the coarsest: cases of one patient are not
    independent, whichever run says so.

    Returns:
        The group's number of each case (M,), the groups' names, and whether the runs differ.
    """
    groupings = {c.tables[0].groups for c in configurations}
    coarsest = min(groupings, key=lambda names: (len(set(names)), names))
    names, index = np.unique(np.asarray(coarsest), return_inverse=True)
    return index, names.tolist(), len(groupings) > 1
