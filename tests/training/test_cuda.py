"""What a GPU's training sets, as far as a CPU can tell."""

from types import SimpleNamespace

import pytest
import torch

from seg.data.transfer import to_device
from seg.training import cuda


def _batch(images: int) -> dict[str, torch.Tensor]:
    return {"image": torch.zeros(images, 3, 8, 8), "case": torch.arange(images)}


@pytest.fixture(autouse=True)
def _flags():
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit
    yield
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = before


@pytest.mark.parametrize(("steps", "searches"), [(cuda.LONG, True), (cuda.LONG - 1, False)])
def test_algorithms_are_searched_for_in_long_trainings_and_full_batches(steps, searches):
    callback, trainer = cuda.CudaSearch(), SimpleNamespace(estimated_stepping_batches=steps)
    callback.on_train_start(trainer, None)
    seen = []
    for images in (4, 4, 3, 4):
        callback.on_train_batch_start(trainer, None, _batch(images), 0)
        seen.append(torch.backends.cudnn.benchmark)
    for images in (4, 2):
        callback.on_validation_batch_start(trainer, None, _batch(images), 0)
        seen.append(torch.backends.cudnn.benchmark)
    full = [True, True, False, True, True, False]
    assert seen == [searches and whole for whole in full]
    callback.on_train_end(trainer, None)
    assert not torch.backends.cudnn.benchmark


def test_products_in_fp32_are_as_they_were_after_the_training():
    callback, trainer = cuda.CudaSearch(), SimpleNamespace(estimated_stepping_batches=1)
    before = torch.get_float32_matmul_precision()
    callback.on_train_start(trainer, None)
    assert torch.get_float32_matmul_precision() == "high"
    callback.on_train_end(trainer, None)
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
            ],
        ),
    ],
)
def test_a_batch_keeps_its_values_on_the_way_to_the_device(device):
    batch = {"image": torch.randint(255, (2, 3, 64, 64)), "case": torch.arange(2)}
    moved = to_device(batch, torch.device(device))
    assert all(tensor.device.type == device for tensor in moved.values())
    assert all(torch.equal(moved[name].cpu(), batch[name]) for name in batch)
