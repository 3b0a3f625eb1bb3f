"""Images, targets and losses that every network has to take, and whether it exports."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from seg.losses.bce import BCELoss
from seg.losses.ce import CELoss

Make = Callable[..., nn.Module]
CHANNELS = (1, 3, 5)
OUTPUTS = {"binary": 1, "classes": 4, "multi-label": 3}  # three classes each, but for the first
SIZES = ((65, 97), (128, 128))
# every value of each occurs: exporting all combinations would take an hour
EXPORTED = (
    (1, "binary", (65, 97)),
    (3, "classes", (256, 256)),
    (5, "multi-label", (65, 97)),
)


def takes_everything(make: Make) -> None:
    """Trains a step on, and predicts, every combination of channels, kind of target and size."""
    for channels in CHANNELS:
        for kind, outputs in OUTPUTS.items():
            network = make(in_channels=channels, out_channels=outputs)
            optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
            for size in SIZES:
                about = f"{channels} channels, {kind}, {size}"
                image = torch.randn(2, channels, *size)
                network.train()
                loss = _loss(network(image), kind)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                assert torch.isfinite(loss), about
                with torch.no_grad():
                    logits = network.eval()(image[:1])
                assert logits.shape == (1, outputs, *size), about
                assert torch.isfinite(logits).all(), about


def exports(make: Make, folder: Path) -> None:
    """An ONNX file gives the same logits, up to rounding."""
    import onnxruntime

    for channels, kind, size in EXPORTED:
        network = make(in_channels=channels, out_channels=OUTPUTS[kind]).eval()
        image, path = torch.randn(1, channels, *size), folder / f"{kind}.onnx"
        program = torch.export.export(network.requires_grad_(False), (image,), strict=False)
        names = {"input_names": ["image"], "output_names": ["logits"]}
        file = torch.onnx.export(program, (), dynamo=True, opset_version=20, verbose=False, **names)
        file.save(path, external_data=False)
        (answer,) = onnxruntime.InferenceSession(path).run(None, {"image": image.numpy()})
        with torch.no_grad():
            expected = network(image).numpy()
        assert answer.shape == expected.shape
        np.testing.assert_allclose(answer, expected, atol=1e-3 * max(1, abs(expected).max()))


def _loss(logits: Tensor, kind: str) -> Tensor:
    size = (len(logits), *logits.shape[-2:])
    if kind == "binary":
        return BCELoss()(logits, torch.randint(0, 2, size))
    if kind == "classes":
        return CELoss()(logits, torch.randint(0, 4, size))
    return BCELoss()(logits, torch.randint(0, 2, logits.shape))
