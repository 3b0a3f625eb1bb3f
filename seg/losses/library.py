"""Losses of other libraries, called as ours are: `loss(logits, target)`, 255 is ignored."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from seg.losses.target import IGNORE, is_planes, one_hot, valid_pixels
from seg.losses.weighted_sum import WeightedSum

SURE = 30.0  # a logit whose error is nothing beside the constants that losses add
PROBE = (2, 16, 24)  # N, H, W of the target that a loss is tried on

FORMS: dict[str, Callable[[Tensor, int], Tensor]] = {  # target (N, H, W) or planes, and channels
    "indices (N, H, W)": lambda target, _: target,
    "one-hot (N, C, H, W)": one_hot,
    "indices (N, 1, H, W)": lambda target, _: target.unsqueeze(1),
}


class Adapted(nn.Module):
    """A loss that gets the target in the form that it takes, in float32 outside of autocast.

    It sees ignored pixels as background that is predicted rightly: they have no gradient. With an
    `ignore_index` of its own, and indices, it leaves them out of its mean as well.

    Args:
        loss: of a library.
        form: a key of FORMS.
    """

    def __init__(self, loss: nn.Module, *, form: str) -> None:
        super().__init__()
        self.loss = loss
        self.form = form

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        valid, channels = valid_pixels(target), logits.shape[1]
        kept = target.masked_fill(target == IGNORE, 0)
        background = torch.full_like(logits, -SURE, dtype=torch.float32)
        if channels > 1 and not is_planes(target):
            background[:, 0] = SURE
        logits = torch.where(valid, logits.float(), background)
        shaped = FORMS[self.form](kept, channels)
        index = getattr(self.loss, "ignore_index", None)
        if isinstance(index, int) and not shaped.is_floating_point():
            # not where all are ignored: the mean of nothing is no number
            ignored = ~valid & valid.any()
            ignored = ignored.squeeze(1) if shaped.ndim == 3 else ignored
            shaped = shaped.masked_fill(ignored, index)
        with torch.autocast(logits.device.type, enabled=False):
            return self.loss(logits, shaped)


def adapted(loss: nn.Module, *, channels: int, overlap: bool) -> nn.Module:
    """A loss that keeps the contract of ours; one of ours, or that keeps it already, as it is.

    Tried on a small target in each form: right must cost less than wrong.

    Args:
        loss: of any library, or a sum of such.
        channels: of the logits.
        overlap: whether classes share pixels.
    Raises:
        ValueError: it takes no form of target.
    """
    if isinstance(loss, WeightedSum):
        for index, term in enumerate(loss.losses):
            loss.losses[index] = adapted(term, channels=channels, overlap=overlap)
        return loss
    if type(loss).__module__.startswith("seg."):
        return loss
    _spread_weights(loss)
    logits, target = _probe(channels, overlap)
    with torch.random.fork_rng(devices=[]), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of forms that are only tried
        if _ignores(loss, logits, target) and not _fault(loss, logits, target)[1]:
            return loss
        faults: list[tuple[bool, str]] = []  # whether it could not be called, and why
        for form in list(FORMS)[overlap : 3 - overlap]:
            candidate = Adapted(loss, form=form)
            called, fault = _fault(candidate, logits, target)
            if not fault:
                return candidate
            faults.append((not called, f"{form}: {fault}"))
        if _is_penalty(loss, logits, target):
            return loss  # such as a penalty on the logits alone
    name = f"{type(loss).__module__}.{type(loss).__qualname__}"
    # the reason where it could be called tells more than that it could not
    raise ValueError(
        f"loss {name}: fits no target for logits of {channels} channels; "
        f"{min(faults, key=lambda fault: fault[0])[1]}"
    )


def _spread_weights(loss: nn.Module) -> None:
    """A weight for each channel of (N, C, H, W) is (C, 1, 1) where losses broadcast it."""
    if not hasattr(loss, "pos_weight"):
        return
    for name in ("weight", "pos_weight"):
        value = getattr(loss, name, None)
        if isinstance(value, Tensor) and value.ndim == 1:
            setattr(loss, name, value[:, None, None])


def _probe(channels: int, overlap: bool) -> tuple[Tensor, Tensor]:
    """Logits that are right, and their target: blocks of all classes, others in each image."""
    n, y, x = torch.meshgrid(*(torch.arange(size) for size in PROBE), indexing="ij")
    blocks = n + y // 4 + x // 6
    if overlap:
        target = torch.stack([(blocks + k) % 2 for k in range(channels)], 1)
    else:
        target = blocks % max(2, channels)
    return (one_hot(target, channels) - 0.5) * SURE, target


def _fault(loss: nn.Module, logits: Tensor, target: Tensor) -> tuple[bool, str]:
    """Whether a loss could be called, and why it cannot be used, "" if it can.

    The logits of the other image must cost more.
    """
    try:
        right, wrong, surer = (loss(z, target) for z in (logits, logits.flip(0), 2 * logits))
    except Exception as error:  # whatever a library raises
        return False, (str(error).strip() or type(error).__name__).splitlines()[0]
    if not isinstance(right, Tensor) or right.ndim:
        shape = tuple(right.shape) if isinstance(right, Tensor) else type(right).__name__
        return True, f"gives {shape}, not one number"
    if not (torch.isfinite(right) and torch.isfinite(wrong)):
        return True, "is no number"
    if not right < wrong:
        return True, "costs no less where the prediction is right"
    if right - surer > 0.1 * (wrong - right):
        return True, "falls without end as logits grow; does it need sigmoid or softmax?"
    return True, ""


def _ignores(loss: nn.Module, logits: Tensor, target: Tensor) -> bool:
    """Whether pixels of 255 change nothing, also where there are no others."""
    partly, other = target.clone(), logits.clone()
    partly[..., :8], other[..., :8] = IGNORE, 1 - 0.3 * logits[..., :8]
    try:
        values = [loss(logits, partly), loss(other, partly)]
        values.append(loss(logits, torch.full_like(target, IGNORE)))
        return bool(torch.isfinite(torch.stack(values)).all()) and torch.equal(*values[:2])
    except Exception:  # whatever a library raises
        return False


def _is_penalty(loss: nn.Module, logits: Tensor, target: Tensor) -> bool:
    """Whether the target does not matter."""
    try:
        values = [
            loss(logits, t) for t in (target, target.flip(0), torch.full_like(target, IGNORE))
        ]
        return bool(torch.isfinite(values[0])) and all(torch.equal(values[0], v) for v in values)
    except Exception:  # whatever a library raises
        return False
