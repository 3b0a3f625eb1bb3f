"""Decoders on the encoder of lite_unet: CPU time of a training image, and Dice after few epochs.

    python benchmarks/decoders.py --root Kvasir-SEG [--size 128] [--epochs 12] [--output decoders]

U-Net decoders of several widths, with nearest, bilinear and transposed upsampling, and a feature
pyramid (Kirillov et al. 2019, arXiv:1901.02446). All start from the ImageNet weights, see the same
images and train for the same epochs; seeds 42 and 43. Ends as benchmarks/equal_time.py does.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn

from seg.models.layout import fast_layout
from seg.models.lite_unet import LiteUNet
from seg.models.sizes import pad_to_multiple
from seg.models.unet import DoubleConv

WIDE, NARROW = [256, 128, 64, 32, 16], [64, 32, 24, 16, 8]


class Transposed(LiteUNet):
    """The same, but transposed convolutions enlarge the features."""

    def __init__(self, *, decoder: Sequence[int], **options) -> None:
        super().__init__(decoder=decoder, **options)
        inputs = [self.encoder.channels[-1], *decoder[:-1]]
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(n, n, 2, 2) for n in inputs)

    def forward(self, image: Tensor) -> Tensor:
        *skips, x = self.encoder(pad_to_multiple(image, 32))
        for enlarge, block in zip(self.enlarge, self.decoder, strict=True):
            x = enlarge(x)
            x = block(torch.cat([x, skips.pop()], dim=1) if skips else x)
        return self.head(x)[..., : image.shape[-2], : image.shape[-1]]


class FeaturePyramid(LiteUNet):
    """Levels of 1/4 to 1/32 are brought to one width, summed downwards, and joined at 1/4."""

    def __init__(self, *, width: int, **options) -> None:
        super().__init__(**options)
        del self.decoder
        self.lateral = nn.ModuleList(nn.Conv2d(n, width, 1) for n in self.encoder.channels[1:])
        self.smooth = nn.ModuleList(
            DoubleConv(in_channels=width, out_channels=width, norm="batch", dropout=0.0)
            for _ in self.lateral
        )
        self.head = nn.Conv2d(width, self.head.out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        padded = pad_to_multiple(image, 32)
        levels = self.encoder(padded)[1:]
        x, joined = 0, 0
        for feature, lateral, smooth in zip(
            reversed(levels), reversed(self.lateral), reversed(self.smooth), strict=True
        ):
            x = lateral(feature) + (F.interpolate(x, scale_factor=2.0) if torch.is_tensor(x) else 0)
            joined = joined + F.interpolate(smooth(x), size=levels[0].shape[-2:], mode="bilinear")
        logits = F.interpolate(self.head(joined), size=padded.shape[-2:], mode="bilinear")
        return logits[..., : image.shape[-2], : image.shape[-1]]


HERE = "benchmarks.decoders"
DECODERS = {
    "nearest": {},
    "nearest, narrow": {"decoder": NARROW},
    "nearest, wide": {"decoder": WIDE},
    "bilinear": {"up": "bilinear"},
    "transposed": {"_target_": f"{HERE}.Transposed"},
    "pyramid": {"_target_": f"{HERE}.FeaturePyramid", "width": 64},
}
DEFAULT = [128, 64, 48, 32, 16]


def training_ms(network: nn.Module, size: int) -> float:
    image = torch.rand(8, 3, size, size).contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(8):
        start = time.process_time()
        with torch.autocast("cpu", torch.bfloat16):
            loss = network(image).float().mean()
        loss.backward()
        seconds.append(time.process_time() - start)
    return 1000 * min(seconds) / 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="of Kvasir-SEG")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("decoders"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder, runs = (options.output / "conf/model").absolute(), []
    folder.mkdir(parents=True, exist_ok=True)
    for name, own in DECODERS.items():
        keys = {"decoder": DEFAULT} | own
        kind = {"Transposed": Transposed, "FeaturePyramid": FeaturePyramid}
        target = keys.pop("_target_", "seg.models.lite_unet.LiteUNet")
        network = kind.get(target.split(".")[-1], LiteUNet)(in_channels=3, out_channels=1, **keys)
        millions = sum(p.numel() for p in network.parameters()) / 1e6
        ms = training_ms(fast_layout(network).train(), options.size)
        print(f"{name:16} {millions:.2f} M parameters, {ms:.1f} CPU ms per training image")
        choice = name.replace(", ", "_")
        content = {"_target_": target, "in_channels": 3, "out_channels": 1, "weights": "imagenet"}
        (folder / f"{choice}.yaml").write_text(yaml.safe_dump(content | keys))
        runs += ["--run", choice, f"--config-dir={folder.parent} model={choice}"]
    common = (
        f"dataset=kvasir dataset.root={options.root} dataset.image_size={options.size} "
        "dataset.batch_size=8 augmentation=light scheduler=onecycle optimizer.lr=1e-3"
    )
    tool = Path(__file__).with_name("equal_time.py")
    command = [sys.executable, str(tool), "--epochs", str(options.epochs), "--common", common]
    command += ["--jobs", str(options.jobs), "--output", str(options.output), *runs]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
