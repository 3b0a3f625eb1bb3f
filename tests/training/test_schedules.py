"""The cosine schedule against its closed form."""

import math

import pytest
import torch

from seg.training.schedules import cosine, cosine_factor, poly


def _reference_factor(step, total, rise, final):
    """Loshchilov and Hutter's equation 5, eta_max 1 and eta_min `final`, after a linear rise."""
    if step < rise:
        return (step + 1) / rise
    return final + 0.5 * (1 - final) * (1 + math.cos(math.pi * (step - rise) / (total - rise)))


@pytest.mark.parametrize(
    ("total", "warmup", "rise"),
    [(100, 0.0, 0), (100, 0.03, 3), (100, 0.5, 50), (7, 0.1, 1), (3, 0.01, 1)],
)
@pytest.mark.parametrize("final", [0.0, 0.01, 1.0])
def test_every_factor_is_that_of_the_closed_form(total, warmup, rise, final):
    for step in range(total + 1):
        factor = cosine_factor(step, total_steps=total, warmup=warmup, final=final)
        assert factor == pytest.approx(_reference_factor(step, total, rise, final)), step


def test_it_agrees_with_torchs_cosine_without_a_rise():
    def rates(make):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
        scheduler, seen = make(optimizer), []
        for _ in range(20):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return seen

    ours = rates(lambda o: cosine(o, total_steps=20, warmup=0.0, final=0.1))
    theirs = rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.02))
    assert ours == pytest.approx(theirs)


def test_it_rises_in_a_line_to_one_then_falls_to_the_end():
    factors = [cosine_factor(s, total_steps=50, warmup=0.2, final=0.05) for s in range(51)]
    assert factors[:10] == pytest.approx([0.1 * (s + 1) for s in range(10)])
    assert max(factors) == factors[10] == 1
    assert all(a > b for a, b in zip(factors[10:], factors[11:], strict=False))
    assert factors[-1] == pytest.approx(0.05)
    assert factors[30] == pytest.approx((1 + 0.05) / 2)  # half way down


def test_the_first_step_already_learns():
    for warmup in (0.0, 0.03, 0.9):
        assert cosine_factor(0, total_steps=1000, warmup=warmup, final=0.0) > 0


@pytest.mark.parametrize("total", [1, 2])
def test_one_step_or_two_are_enough(total):
    for warmup in (0.0, 0.03, 0.99):
        factors = [
            cosine_factor(s, total_steps=total, warmup=warmup, final=0.01) for s in range(total)
        ]
        assert max(factors) == 1
        assert min(factors) > 0


def test_steps_beyond_the_end_stay_at_the_end():
    assert cosine_factor(500, total_steps=100, warmup=0.1, final=0.02) == pytest.approx(0.02)


def test_a_rate_of_zero_stays_zero():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.0)
    scheduler = cosine(optimizer, total_steps=3)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] == 0


@pytest.mark.parametrize(
    "values",
    [{"warmup": -0.1}, {"warmup": 1.0}, {"warmup": float("nan")}, {"final": -0.1}, {"final": 1.5}],
)
def test_shares_that_are_none_are_refused_by_name(values):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(ValueError, match=f"scheduler.{next(iter(values))}="):
        cosine(optimizer, total_steps=10, **values)


def test_poly_is_the_power_of_the_share_that_is_left():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler = poly(optimizer, total_steps=20, power=0.9)
    for step in range(20):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2 * (1 - step / 20) ** 0.9), step
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0
