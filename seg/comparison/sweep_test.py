"""What the test shows of the choice that validation made.

The test cases had no part in the choice, so it is held against each of the others with Holm's
correction over these tests alone; `seg.compare`, whose leader is the best on the test, has to
correct for all pairs. So does a sweep over folds: the images that validate one are tested in
another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from seg.comparison import paired_tests
from seg.comparison.choices import Choice
from seg.comparison.paired_tests import ALPHA, Pair
from seg.comparison.summary import RankedConfiguration, measure


@dataclass(frozen=True)
class Tested:
    """entries, pairs: by the choice's position; a pair is the first choice against that one.
    problem: why the choices could not be held against each other, "" if they were. cases, groups:
    how many, 0 where there is a problem. is_pooled: over folds.
    """

    entries: dict[int, RankedConfiguration] = field(default_factory=dict)
    pairs: dict[int, Pair] = field(default_factory=dict)
    problem: str = ""
    cases: int = 0
    groups: int = 0
    is_pooled: bool = False
    notes: list[str] = field(default_factory=list)


def compare_with_first(choices: Sequence[Choice]) -> Tested:
    """The first choice against each other one on the test cases."""
    place_of, runs, partial = {}, [], 0
    any_whole = any(choice.is_whole for choice in choices)
    for position, choice in enumerate(choices):
        if any_whole and not choice.is_whole:  # its folds would not be the cases of the others
            partial += bool(choice.finished)
            continue
        for job in choice.finished:
            if job.run.table is not None and job.run.problem is None:
                place_of[job.run.folder] = position
                # `name` makes the label, in messages as well, and tells no two runs apart
                config = job.run.config | {"name": choice.label}
                runs.append(replace(job.run, config=config))
    if not runs:
        return Tested(problem="no job that finished has a test" if _finished(choices) else "")
    try:
        found = measure(runs)
    except ValueError as error:
        return Tested(problem=" ".join(str(error).split()))
    places = [place_of[entry.configuration.runs[0].folder] for entry in found.entries]
    entries = dict(zip(places, found.entries, strict=True))
    notes, pairs = list(found.notes), {}
    if partial:
        notes.append(f"{partial} configurations lack some of their runs and were not tested")
    is_pooled = any(entry.folds for entry in found.entries)
    if places.count(0):
        head = places.index(0)
        others = [i for i in range(len(places)) if i != head]
        family = len(others) * len(places) // 2 if is_pooled else len(others)
        tests = paired_tests.against(
            head, others, found.totals, found.metric, test="permutation", family=family
        )
        holm = paired_tests.holm([pair.p for pair in tests], family=family)
        pairs = {
            places[i]: replace(pair, p_holm=float(p))
            for i, pair, p in zip(others, tests, holm, strict=True)
        }
        if family and 2 * family * 0.5**found.groups >= ALPHA:
            notes.append(
                f"{found.groups} independent test cases or groups are too few for {family} tests: "
                "no difference, however large, can be shown"
            )
    return Tested(entries, pairs, "", found.cases, found.groups, is_pooled, notes)


def _finished(choices: Sequence[Choice]) -> bool:
    return any(choice.finished for choice in choices)


def says(pair: Pair) -> str:
    """Of the first choice: `better`, `worse`, or `not shown`."""
    if pair.shown:
        return "better"
    is_worse = pair.p_holm < ALPHA and pair.difference < 0 and pair.rank_biserial < 0
    return "worse" if is_worse else "not shown"
