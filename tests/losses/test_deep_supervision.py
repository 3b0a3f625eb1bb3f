"""The loss over logits of several levels."""

import torch

from seg.losses.deep_supervision import deeply_supervised
from seg.losses.dice import DiceLoss


def test_each_level_weighs_half_as_much_as_the_finer_one() -> None:
    torch.manual_seed(0)
    target = torch.randint(0, 2, (2, 8, 8))
    levels = [torch.randn(2, 1, 8, 8) for _ in range(3)]
    loss = DiceLoss()
    terms = [loss(logits, target) for logits in levels]
    expected = (4 * terms[0] + 2 * terms[1] + terms[2]) / 7
    torch.testing.assert_close(deeply_supervised(loss, levels, target), expected)
    torch.testing.assert_close(
        deeply_supervised(loss, levels[:1], target), terms[0], rtol=0, atol=0
    )
