"""Probabilities at an image's own size, against a loop of single steps."""

import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from seg.inference.predictor import NetworkPredictor, device_of
from seg.models.normalize import Normalize
from seg.models.unet import UNet


def network(outputs: int = 1, *, norm: str = "batch") -> nn.Module:
    torch.manual_seed(0)
    model = UNet(in_channels=3, out_channels=outputs, width=4, depth=2, norm=norm)
    with torch.no_grad():
        for parameter in list(model.parameters())[-2:]:  # the last layer: odds far from even
            parameter.mul_(4)
    return model


def normalize() -> Normalize:
    return Normalize(mode="dataset", mean=[90.0, 100, 110], std=[50.0, 60, 70])


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def _reference_probabilities(model: nn.Module, image: NDArray, size: int) -> NDArray:
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    small = (small - [90, 100, 110]) / [50, 60, 70]
    tensor = torch.tensor(small.transpose(2, 0, 1)[None], dtype=torch.float32)
    with torch.no_grad():
        logits = model.eval()(tensor)[0].double().numpy()
    if len(logits) == 1:
        probs = 1 / (1 + np.exp(-logits))
    else:
        powers = np.exp(logits - logits.max(0))
        probs = powers / powers.sum(0)
    return np.stack([cv2.resize(p, image.shape[1::-1]) for p in probs])


@pytest.mark.parametrize("outputs", [1, 3])
def test_each_step_is_as_written_out(outputs: int) -> None:
    image = picture(70, 101)
    model = network(outputs)
    expected = _reference_probabilities(model, image, 32)
    predictor = NetworkPredictor(model=model, normalize=normalize(), size=(32, 32))
    probs = predictor.probabilities(image)
    assert probs.shape == (outputs, 70, 101)
    assert probs.dtype == np.float32
    assert np.ptp(probs) > 0.1
    np.testing.assert_allclose(probs, expected, atol=2e-6)


def test_one_thread_at_a_time_is_with_a_network() -> None:
    inside, most = [], [0]

    class Slow(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            inside.append(1)
            most[0] = max(most[0], len(inside))
            time.sleep(0.005)
            inside.pop()
            return x[:, :1]

    members = [
        NetworkPredictor(model=Slow(), normalize=nn.Identity(), size=(8, 8)) for _ in range(2)
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: members[i % 2].probabilities(picture(8, 8)), range(12)))
    assert most[0] == 1


def test_an_image_of_the_networks_size_is_not_resized() -> None:
    model, image = network(), picture(32, 32)
    probs = NetworkPredictor(model=model, normalize=normalize(), size=(32, 32)).probabilities(image)
    inputs = normalize()(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()))
    with torch.no_grad():
        np.testing.assert_allclose(probs, torch.sigmoid(model(inputs))[0].numpy(), atol=1e-6)


def test_several_classes_add_up_to_one_at_the_images_size() -> None:
    predictor = NetworkPredictor(model=network(4), normalize=normalize(), size=(32, 32))
    np.testing.assert_allclose(predictor.probabilities(picture(45, 81)).sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("count", [5, 16])
def test_images_of_many_sizes_in_a_batch_agree_with_single_ones(norm: str, count: int) -> None:
    images = [picture(30 + 3 * i, 60 - 2 * i, seed=i) for i in range(count)]
    predictor = NetworkPredictor(model=network(norm=norm), normalize=normalize(), size=(32, 32))
    for together, image in zip(predictor.batch(images), images, strict=True):
        np.testing.assert_allclose(together, predictor.probabilities(image), atol=3e-6)


def test_without_a_size_every_image_is_predicted_at_its_own() -> None:
    images = [picture(40, 60), picture(33, 20)]
    predictor = NetworkPredictor(model=network(), normalize=normalize(), size=None)
    for probs, image in zip(predictor.batch(images), images, strict=True):
        same = NetworkPredictor(model=network(), normalize=normalize(), size=image.shape[:2])
        np.testing.assert_array_equal(probs, same.probabilities(image))


def test_the_network_is_in_eval_mode_and_learns_nothing() -> None:
    model = network().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    predictor = NetworkPredictor(model=model, normalize=normalize(), size=(32, 32))
    first = predictor.probabilities(picture(40, 40))
    np.testing.assert_array_equal(first, predictor.probabilities(picture(40, 40)))
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_images_of_more_than_eight_bits_are_taken_as_they_are() -> None:
    predictor = NetworkPredictor(model=network(), normalize=normalize(), size=(32, 32))
    image = picture(32, 32)
    deep = predictor.probabilities(image.astype(np.float32))
    np.testing.assert_allclose(deep, predictor.probabilities(image), atol=3e-6)


def test_weights_that_are_no_numbers_show() -> None:
    model = network()
    nn.init.constant_(next(model.parameters()), float("nan"))
    probs = NetworkPredictor(model=model, normalize=normalize(), size=(32, 32)).probabilities(
        picture(50, 40)
    )
    assert np.isnan(probs).any()


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_other_precisions_give_nearly_the_same(precision: str) -> None:
    image = picture(40, 40)
    plain = NetworkPredictor(model=network(), normalize=normalize(), size=(32, 32))
    other = NetworkPredictor(
        model=network(), normalize=normalize(), size=(32, 32), precision=precision
    ).probabilities(image)
    assert other.dtype == np.float32
    np.testing.assert_allclose(other, plain.probabilities(image), atol=0.15)
    assert (precision == "64-true") == np.allclose(other, plain.probabilities(image), atol=1e-5)


def test_the_cpu_is_the_cpu() -> None:
    assert device_of("cpu") == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_agrees_in_full_precision() -> None:
    image = picture(70, 101)
    size = {"normalize": normalize(), "size": (32, 32)}
    on_gpu = NetworkPredictor(model=network(), **size, device="cuda").probabilities(image)
    on_cpu = NetworkPredictor(model=network(), **size).probabilities(image)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-5)
