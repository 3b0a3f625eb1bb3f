"""Search spaces in Hydra's grammar."""

import math

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from seg.cli.compose import CONF_DIR
from seg.sweeps.search import options, record, sweeper
from seg.sweeps.search import space as spaces
from seg.sweeps.search.space import Choices, Numbers


def _read(*lines):
    return spaces.read(OverridesParser.create().parse_overrides(list(lines)))


def _one(line):
    space, constant, problems = _read(line)
    assert (constant, problems) == ([], [])
    return space[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x=interval(1,5)", Numbers("x", 1.0, 5.0)),
        ("x=int(interval(1,5))", Numbers("x", 1, 5)),
        ("x=tag(log, interval(1e-5, 1e-2))", Numbers("x", 1e-5, 1e-2, log=True)),
        ("x=tag(log, int(interval(1, 64)))", Numbers("x", 1, 64, log=True)),
        ("x=range(8,33,8)", Numbers("x", 8, 32, 8)),
        ("x=range(4)", Numbers("x", 0, 3, 1)),
        ("x=range(3,0,-1)", Numbers("x", 1, 3, 1)),
        ("x=range(0,1,0.25)", Numbers("x", 0.0, 0.75, 0.25)),
        ("x=tag(log, range(1,9))", Numbers("x", 1, 8, log=True)),
        ("x=choice(bce,dice)", Choices("x", ("bce", "dice"), ("bce", "dice"))),
        ("x=bce,dice", Choices("x", ("bce", "dice"), ("bce", "dice"))),
        ("x=choice(true,2,'a b')", Choices("x", ("True", "2", r"a\ b"), (True, 2, "a b"))),
        ("x=choice([1,2],[3,4])", Choices("x", ("[1,2]", "[3,4]"), ([1, 2], [3, 4]))),
        ("+x=interval(0,1)", Numbers("+x", 0.0, 1.0)),
    ],
)
def test_hydras_grammar_says_what_may_be_chosen(line, expected):
    found = _one(line)
    assert found == expected
    if isinstance(expected, Numbers):
        assert [type(found.low), type(found.high)] == [type(expected.low), type(expected.high)]


def test_every_member_of_a_range_is_one_that_hydra_would_sweep():
    override = OverridesParser.create().parse_override("x=range(2,17,5)")
    found = _one("x=range(2,17,5)")
    members = [v for v in range(100) if found.member(v) is not None]
    assert members == list(override.sweep_iterator())
    assert found.size() == len(members)


def test_a_proposal_comes_from_the_space_and_reads_back_as_it_was_proposed():
    optuna = pytest.importorskip("optuna")
    space, _, _ = _read(
        "a=tag(log, interval(1e-5, 1e-2))", "b=range(8,33,8)", "c=choice('x y',true,3)"
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = []
    for _ in range(60):
        trial = study.ask()
        params = {d.key: d.suggest(trial) for d in space}
        lines = spaces.lines(params)
        values = [o.value() for o in OverridesParser.create().parse_overrides(lines)]
        assert values[0] == params["a"]  # to the last digit
        seen.append(tuple(values))
    assert {v[1] for v in seen} == {8, 16, 24, 32}
    assert {v[2] for v in seen} == {"x y", True, 3}
    logs = sorted(math.log10(v[0]) for v in seen)
    assert logs[0] >= -5
    assert logs[-1] <= -2
    assert -4 < logs[30] < -3  # the median of log-uniform draws, far from that of uniform ones


def test_the_last_word_on_a_key_is_the_command_lines():
    space, constant, problems = _read(
        "lr=interval(0,1)", "loss=choice(bce,dice)", "seed=3", "lr=0.1", "loss=choice(dice,ce)"
    )
    assert problems == []
    assert constant == ["lr=0.1", "seed=3"]
    assert space == [Choices("loss", ("dice", "ce"), ("dice", "ce"))]


DEFAULT = {"optimizer.lr": "tag(log, interval(1e-4, 3e-2))", "loss": "choice(bce, dice)"}


def _default_space(tmp_path, *lines, params=None):
    stated = OmegaConf.load(CONF_DIR / "hydra" / "sweeper" / "seg_optuna.yaml")
    stated = {k: v for k, v in OmegaConf.to_container(stated).items() if k != "_target_"}
    chosen = options.read(stated | {"default_params": DEFAULT, "params": params or {}})
    given = OverridesParser.create().parse_overrides(list(lines))
    return sweeper._default_space(chosen, given, tmp_path)


def test_only_what_the_command_names_is_searched(tmp_path, caplog):
    assert _default_space(tmp_path) == DEFAULT
    assert _default_space(tmp_path, "trainer.max_epochs=3", "loss=dice") == DEFAULT
    assert caplog.text == ""
    with caplog.at_level("INFO"):
        assert _default_space(tmp_path, "model.width=range(8,33,8)", "loss=choice(ce,dice)") == {}
    assert "optimizer.lr as well" in caplog.text
    assert _default_space(tmp_path, params={"loss": "choice(ce,dice)"}) == {}


def test_a_search_that_was_begun_goes_on_in_its_space(tmp_path):
    record.path(tmp_path).write_text('{"space": {"loss": {}, "model.width": {}}}')
    found = _default_space(tmp_path, "model.width=range(8,33,8)")
    assert found == {"loss": DEFAULT["loss"]}


def test_what_has_one_value_is_no_dimension():
    space, constant, problems = _read("a=choice(x)", "b=range(3,4)", "c=1,2")
    assert problems == []
    assert [d.key for d in space] == ["c"]
    assert constant == ["a=x", "b=3"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("x=interval(5,1)", "go up"),
        ("x=interval(1,1)", "go up"),
        ("x=interval(0,inf)", "finite"),
        ("x=tag(log, interval(0,1))", "above 0"),
        ("x=tag(log, range(1,9,2))", "steps of 1"),
        ("x=tag(log, range(0,9))", "above 0"),
        ("x=range(5,1)", "empty"),
        ("x=tag(lgo, interval(1,2))", "lgo"),
        ("x=tag(log, choice(1,2))", "intervals"),
        ("x=choice(a,b,a)", "twice"),
        ("seed=1,2", "lucky"),
        ("dataset=kvasir,lgg", "other cases"),
        ("dataset.split.seed=1,2", "other cases"),
        ("dataset.root=a,b", "other cases"),
        ("resume=a,b", "where results go"),
        ("x=1", "nothing to search"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_with_the_reason(line, word):
    _, _, problems = _read(line)
    assert len(problems) == 1
    assert word in problems[0]


def test_all_problems_are_told_at_once():
    _, _, problems = _read("a=interval(5,1)", "b=choice(x,y)", "seed=1,2")
    assert [p.partition("=")[0] for p in problems] == ["a", "seed"]


@pytest.mark.parametrize(
    ("line", "value", "held"),
    [
        ("x=interval(0,1)", 0.5, 0.5),
        ("x=interval(0,1)", 1, 1.0),
        ("x=interval(0,1)", 1.5, None),
        ("x=interval(0,1)", "0.5", None),
        ("x=interval(0,1)", True, None),
        ("x=interval(0,1)", None, None),
        ("x=range(8,33,8)", 32, 32),
        ("x=range(8,33,8)", 33, None),
        ("x=range(8,33,8)", 12, None),
        ("x=range(0,1,0.1)", 0.3, 0.3),
        ("x=choice(1e-3,1e-2)", 0.001, "0.001"),
        ("x=choice(true,1)", 1, "1"),
        ("x=choice(bce,dice)", "ce", None),
        ("x=choice([1,2],[3,4])", [3, 4], "[3,4]"),
    ],
)
def test_a_configurations_value_is_found_in_the_space_or_not(line, value, held):
    found = _one(line).member(value)
    assert found == held
    assert type(found) is type(held)
