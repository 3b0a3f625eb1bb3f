"""How far around a pixel a network looks, and what a pass costs in memory; both are measured."""

import weakref

import torch
from torch import Tensor, nn

PERIOD = 32  # columns after which a network that halves up to five times repeats itself
STEP = 8  # columns measured together: what they see is what each is taken to see
LENGTHS = (256, 512, 1024)
FAR = LENGTHS[-1] // 2 - PERIOD  # what looks further counts as looking at all
SCRATCH = 1.5  # what kernels take beside the tensors that are seen


def receptive_field(
    network: nn.Module, *, channels: int, device: torch.device | str = "cpu"
) -> int | None:
    """Pixels to each side of a pixel that its logits depend on, or a few more; None for all.

    network: in eval mode, (N, C, H, W) in 0-255 to logits, normalisation included. What depends on
    an image as a whole has no reach: instance and group normalisation, attention, pooling to one
    pixel, an image's own mean. Measured where the gradient of the logits is not zero, along the
    columns of a strip: cheap, and networks look as far down as across.
    """
    for length in LENGTHS:
        furthest = 0
        for seed in (0, 1):  # what one image does not excite another may
            generator = torch.Generator().manual_seed(seed)
            image = torch.rand((1, channels, 2 * PERIOD, length), generator=generator) * 255
            image = image.to(device).requires_grad_()
            with torch.enable_grad():
                logits = network(image).float()
            for start in range(length // 2, length // 2 + PERIOD, STEP):
                some = logits[..., start : start + STEP].square().sum()
                (gradient,) = torch.autograd.grad(some, image, retain_graph=True)
                columns = (gradient != 0).any(dim=2).any(dim=1)[0].nonzero().flatten().tolist()
                if not columns or columns[0] == 0 or columns[-1] == length - 1:
                    furthest = length
                    break
                furthest = max(furthest, start + STEP - 1 - columns[0], columns[-1] - start)
        if furthest < length:
            return furthest
    return None


def bytes_per_pixel(
    network: nn.Module, *, channels: int, device: torch.device | str = "cpu"
) -> float:
    """What one pass takes at its peak for each pixel of the input, beside the weights.

    Of the tensors that go in and out of layers, those that live at the same time, and a share for
    what kernels take for themselves.
    """
    side = 4 * PERIOD
    living: dict[int, int] = {}
    peak = 0

    def note(tensors: object) -> None:
        nonlocal peak
        for one in tensors if isinstance(tensors, tuple | list) else [tensors]:
            if isinstance(one, Tensor) and id(one) not in living:
                living[id(one)] = one.nbytes
                weakref.finalize(one, living.pop, id(one), None)
        peak = max(peak, sum(living.values()))

    hooks = []
    for layer in network.modules():
        hooks.append(layer.register_forward_pre_hook(lambda _, inputs: note(inputs)))
        hooks.append(layer.register_forward_hook(lambda _, __, outputs: note(outputs)))
    try:
        with torch.no_grad():
            network(torch.zeros((1, channels, side, side), device=device))
    finally:
        for hook in hooks:
            hook.remove()
    return SCRATCH * peak / side**2
