"""A step's random numbers depend on its place alone, and are those of torch.manual_seed."""

import numpy as np
import pytest
import torch

from seg.training.random_numbers import seed_generators

ON_A_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
PLACE = [3, 1, 4, 0]
EXPECTED = int(np.random.SeedSequence(PLACE).generate_state(1, np.uint64)[0])


def draws(device: torch.device) -> list[torch.Tensor]:
    return [torch.rand(5, device=device), torch.rand(5)]


@pytest.mark.parametrize("kind", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, ON_A_GPU])])
def test_a_place_gives_what_manual_seed_gives(kind: str) -> None:
    device = torch.device(kind, 0) if kind == "cuda" else torch.device(kind)
    torch.manual_seed(EXPECTED)
    expected = draws(device)
    torch.rand(7)
    seed_generators(PLACE, device)
    assert all(map(torch.equal, draws(device), expected))
    seed_generators([*PLACE[:2], 5, 0], device)
    assert not torch.equal(draws(device)[0], expected[0])
