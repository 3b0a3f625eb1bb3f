"""Which device and number format are chosen on machines that this one is not."""

import pytest
import torch

from seg.training.hardware import choose_hardware


@pytest.fixture
def machine(monkeypatch):
    """Pretend a machine: cuda, mps, bf16 on the GPU, and the CPU's features."""

    def pretend(*, cuda=False, mps=False, gpu_bf16=False, **features):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: int(cuda))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Some GPU")
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: gpu_bf16)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)

    return pretend


@pytest.mark.parametrize("accelerator", ["gpu", "cuda"])
@pytest.mark.parametrize("precision", ["auto", "32"])
def test_a_gpu_that_is_not_there_is_refused_and_not_replaced(machine, accelerator, precision):
    machine(avx512_bf16=True)
    with pytest.raises(ValueError, match=f"trainer.accelerator={accelerator}: "):
        choose_hardware(accelerator, precision)


def test_cuda_is_refused_where_there_is_another_gpu(machine):
    machine(mps=True)
    with pytest.raises(ValueError, match=r"trainer\.accelerator=cuda"):
        choose_hardware("cuda", "auto")


def test_more_gpus_than_there_are_is_refused(machine, monkeypatch):
    machine(cuda=True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="trainer.devices=3: .* 2 "):
        choose_hardware("gpu", "32", devices=3)
    assert choose_hardware("auto", "32", devices=2).accelerator == "gpu"


@pytest.mark.parametrize(
    ("present", "expected"),
    [({}, "cpu"), ({"cuda": True}, "gpu"), ({"mps": True}, "gpu")],
)
def test_auto_takes_the_gpu_if_there_is_one(machine, present, expected):
    machine(**present)
    assert choose_hardware("auto", "auto").accelerator == expected


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({}, "32-true"),
        ({"avx2": True, "avx512_f": True}, "32-true"),
        ({"avx512_bf16": False, "amx_bf16": False}, "32-true"),
        ({"avx512_bf16": True}, "bf16-mixed"),
        ({"amx_bf16": True}, "bf16-mixed"),
        ({"avx512_bf16": True, "amx_bf16": True}, "bf16-mixed"),
    ],
)
@pytest.mark.parametrize("accelerator", ["auto", "cpu"])
def test_a_cpu_takes_bf16_only_where_it_multiplies_it(machine, accelerator, features, expected):
    machine(**features)
    hardware = choose_hardware(accelerator, "auto")
    assert (hardware.accelerator, hardware.precision) == ("cpu", expected)


def test_a_cpu_is_used_where_the_key_says_so_though_there_is_a_gpu(machine):
    machine(cuda=True, gpu_bf16=True)
    hardware = choose_hardware("cpu", "auto")
    assert (hardware.accelerator, hardware.precision) == ("cpu", "32-true")
    assert "Some GPU" not in hardware.line


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ({"cuda": True, "gpu_bf16": True}, "bf16-mixed"),
        ({"cuda": True, "gpu_bf16": False}, "16-mixed"),
        ({"mps": True}, "32-true"),
    ],
)
def test_a_gpu_takes_the_fastest_format_that_it_has(machine, present, expected):
    machine(avx512_bf16=True, **present)
    assert choose_hardware("gpu", "auto").precision == expected


@pytest.mark.parametrize("precision", [32, "32", "32-true", "bf16-mixed", "16-mixed", 16])
def test_a_precision_that_is_not_auto_stays_as_it_is(machine, precision):
    machine(avx512_bf16=True)
    hardware = choose_hardware("cpu", precision)
    assert hardware.precision == str(precision)
    assert "as asked for" in hardware.line


def test_the_line_tells_of_device_and_format(machine):
    machine(cuda=True, gpu_bf16=True)
    line = choose_hardware("auto", "auto").line
    assert "Some GPU" in line
    assert "bf16-mixed" in line
    machine()
    count = torch.get_num_threads()
    assert f"cpu, {count} thread" in choose_hardware("auto", "auto").line
