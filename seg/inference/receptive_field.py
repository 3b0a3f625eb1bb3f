"""A network's receptive field, and the memory that one pass takes; both are measured."""

import weakref

import torch
from torch import Tensor, nn

PERIOD = 32  # columns after which a network that halves up to five times repeats itself
STEP = 8  # columns that are measured together: each is taken to see what any of them sees
LENGTHS = (256, 512, 1024)
FAR = LENGTHS[-1] // 2 - PERIOD  # a receptive field beyond this counts as the whole image
SCRATCH = 1.5  # what kernels take beside the tensors that layers exchange, as a factor


def receptive_field(
    network: nn.Module, *, channels: int, device: torch.device | str = "cpu"
) -> int | None:
    """How far around a pixel its logits depend on the image.

    Measured along the columns of a strip, where the gradient of the logits is not zero: that is
    cheap, and networks look as far down as across.

    Args:
        network: in eval mode, (N, C, H, W) in 0-255 to logits, normalisation included.

    Returns:
        Pixels to each side, at most STEP - 1 too many; None for the whole image, as with instance
        and group normalisation, attention, pooling to one pixel, normalisation by an image's mean.
    """
    for length in LENGTHS:
        furthest = 0
        for seed in (0, 1):  # a unit that one image does not excite, another may
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
    """Memory that one pass takes at its peak for each pixel of its input, beside the weights.

    The tensors that go in and out of layers and live at the same time, times SCRATCH.
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
