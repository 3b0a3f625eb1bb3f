"""What a sweep's validation chooses, and what the test shows of that.

The test cases had no part in the choice, so the first configuration is tested against each of the
others with Holm's correction over these tests alone; `seg.compare`, whose leader is the best on the
test, has to correct for all pairs. So does a sweep over folds: the images that validate one fold
are tested in another.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from seg.comparison import paired_tests
from seg.comparison.configurations import SAME, ComparedRun, Configuration, grouped, normal
from seg.comparison.paired_tests import ALPHA, Pair, corrected
from seg.comparison.same_cases import pool_runs
from seg.comparison.summary import Comparison, RankedConfiguration, measure

SIZE = "dataset.image_size"


@dataclass(frozen=True)
class SweepTest:
    """The first configuration of a sweep tested against the others.

    Args:
        entries: the configurations that were measured, by position.
        pairs: the first configuration against each other one, by that one's position.
        problem: why they were not compared, "" if they were.
        cases: how many they were tested on.
        groups: how many of these are independent.
        is_pooled: whether folds were pooled.
        notes: what to know about the tests.
    """

    entries: dict[int, RankedConfiguration] = field(default_factory=dict)
    pairs: dict[int, Pair] = field(default_factory=dict)
    problem: str = ""
    cases: int = 0
    groups: int = 0
    is_pooled: bool = False
    notes: list[str] = field(default_factory=list)


def by_validation(jobs: Sequence[ComparedRun]) -> list[Configuration]:
    """Jobs of a sweep grouped by their overrides, the best mean val/dice first.

    Configurations that lack a seed or a fold come after the complete ones, since what they lack may
    be the hard one; then those without a finished job, pruned ones first.
    """

    def chosen(job: ComparedRun) -> dict[str, str]:
        return {key: value for key, value in job.overrides.items() if key not in SAME}

    def identity(job: ComparedRun) -> Hashable:
        # without overrides nothing says that two folders are one configuration
        alone = None if job.overrides else job.name
        return alone, tuple((k, normal(v)) for k, v in sorted(chosen(job).items()))

    configurations = []
    for members in grouped(jobs, identity):
        label = " ".join(f"{key}={value}" for key, value in chosen(members[0]).items())
        unnamed = members[0].name if len(members) == 1 else "all runs"
        configurations.append(Configuration(label or unnamed, members))
    return sorted(configurations, key=_validation_order)


def _validation_order(configuration: Configuration) -> tuple[float, ...]:
    validation, first = configuration.validation, configuration.runs[0]
    number = math.inf if first.number is None else first.number
    if validation is not None:
        missing = not configuration.is_complete
        return False, missing, -validation.n if missing else 0, -validation.mean, 0, number
    is_pruned, score = first.status == "pruned", first.folder.best_score
    return True, True, 0, not is_pruned, -score if is_pruned and math.isfinite(score) else 0, number


def compare_with_first(configurations: Sequence[Configuration]) -> SweepTest:
    """The first of some configurations against each other one on the test cases.

    Those that lack some of their runs are left out, unless all do.
    """
    any_complete = any(c.is_complete for c in configurations)
    pooled: dict[Configuration, int] = {}
    partial = 0
    try:
        for position, c in enumerate(configurations):
            runs = [run for run in c.finished if run.table is not None]
            if any_complete and not c.is_complete:  # its folds would not be the cases of the others
                partial += bool(c.finished)
            elif runs:
                pooled[pool_runs(c.label, runs)] = position
        if not pooled:
            any_finished = any(c.finished for c in configurations)
            return SweepTest(problem="no job that finished has a test" if any_finished else "")
        measured = measure(list(pooled))
    except ValueError as error:
        return SweepTest(problem=" ".join(str(error).split()))
    positions = [pooled[entry.configuration] for entry in measured.entries]
    is_pooled = any(entry.folds for entry in measured.entries)
    notes = list(measured.notes)
    if partial:
        notes.append(f"{partial} configurations lack some of their runs and were not tested")
    pairs = {}
    if 0 in positions:
        count = len(positions)
        family = count * (count - 1) // 2 if is_pooled else count - 1
        pairs = {positions[p.b]: p for p in _pairs(measured, positions.index(0), family)}
        if family and 2 * family * 0.5**measured.groups >= ALPHA:
            notes.append(
                f"{measured.groups} independent test cases or groups are too few for {family} "
                "tests: no difference, however large, can be shown"
            )
    return SweepTest(
        entries=dict(zip(positions, measured.entries, strict=True)),
        pairs=pairs,
        cases=measured.cases,
        groups=measured.groups,
        is_pooled=is_pooled,
        notes=notes,
    )


def _pairs(comparison: Comparison, first: int, family: int) -> list[Pair]:
    """One entry against all others, after Holm."""
    others = [i for i in range(len(comparison.entries)) if i != first]
    pairs = paired_tests.against(
        first, others, comparison.totals, comparison.metric, test="permutation", family=family
    )
    return corrected(pairs, family=family)


def result_of(pair: Pair) -> str:
    """What a pair shows of its first configuration: `better`, `worse`, or `not shown`."""
    if pair.shown:
        return "better"
    is_worse = pair.p_holm < ALPHA and pair.difference < 0 and pair.rank_biserial < 0
    return "worse" if is_worse else "not shown"


def validation_cautions(configurations: Sequence[Configuration]) -> list[str]:
    """Why val/dice may not compare the configurations; empty where no reason is known."""
    complete = [c for c in configurations if c.finished and c.is_complete]
    notes = []
    if len({images for c in complete if (images := _validation_images(c))}) > 1:
        notes.append(
            "the choices were validated on different images, so that val/dice does not compare "
            "them: what is first may have had the easier ones"
        )
    if len({str(c.finished[0].config.get(SIZE)) for c in complete}) > 1:
        notes.append(
            f"{SIZE} differs, and val/dice is measured at that size: masks at different sizes are "
            "not equally hard; seg.evaluate scores all at the masks' own size"
        )
    return notes


def _validation_images(configuration: Configuration) -> frozenset:
    """The sets of validation images of its runs, by digest, and how many runs have each."""
    sets: Counter[frozenset[tuple[str, str]]] = Counter()
    for run in configuration.finished:
        split = run.folder.split
        cases = split.splits.items() if split else ()
        images = frozenset(split.digests[case] for case, part in cases if part == "val")
        if not images:
            return frozenset()
        sets[images] += 1
    return frozenset(sets.items())
