"""Which device, and which number format on it."""

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Hardware:
    """Accelerator and precision in Lightning's words, and a line for the log with the reason."""

    accelerator: str
    precision: str
    line: str


def choose_hardware(accelerator: str, precision: str | int, *, devices: int | str = 1) -> Hardware:
    """Resolve `auto`: the GPU if there is one, and bf16 where the hardware multiplies it.

    Raises:
        ValueError: the machine has no such device, or fewer; a training that silently ran on the
            CPU would take days.
    """
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if accelerator == "auto":
        accelerator = "gpu" if has_cuda or has_mps else "cpu"
    has_it = {"gpu": has_cuda or has_mps, "cuda": has_cuda, "mps": has_mps}.get(accelerator, True)
    if not has_it:
        raise ValueError(
            f"trainer.accelerator={accelerator}: no GPU is visible to torch {torch.__version__}; "
            "use trainer=cpu, or check the driver and CUDA_VISIBLE_DEVICES"
        )
    if accelerator == "cpu" and isinstance(devices, int) and devices > (os.cpu_count() or 1):
        raise ValueError(f"trainer.devices={devices}: this machine has {os.cpu_count()} CPU cores")
    if accelerator in ("gpu", "cuda") and has_cuda and isinstance(devices, int):
        count = torch.cuda.device_count()
        if devices > count:
            raise ValueError(f"trainer.devices={devices}: this machine has {count} GPUs to see")
    chosen, reason = str(precision), "as asked for"
    if chosen == "auto":
        chosen, reason = _fastest(accelerator, has_cuda)
    name = torch.cuda.get_device_name() if accelerator != "cpu" and has_cuda else accelerator
    count = torch.get_num_threads()
    threads = f", {count} thread{'s' * (count > 1)}" if accelerator == "cpu" else ""
    return Hardware(
        accelerator, chosen, f"{name}{threads}, precision {chosen} ({reason}), channels last"
    )


def _fastest(accelerator: str, has_cuda: bool) -> tuple[str, str]:
    override = "trainer.precision=32 overrides"
    if accelerator == "cpu":
        if _cpu_multiplies_bf16():
            return "bf16-mixed", f"the CPU has bf16 instructions; {override}"
        return "32-true", "the CPU has no bf16 instructions"
    if has_cuda and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16-mixed", override
    if has_cuda:
        return "16-mixed", override
    return "32-true", "this GPU is trained in full precision"


def _cpu_multiplies_bf16() -> bool:
    # Without these instructions bf16 is emulated, and slower than fp32.
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))
