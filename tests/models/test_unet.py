"""The U-Net: its size, the geometry of what comes out, and where in the image an output looks."""

import itertools

import numpy as np
import pytest
import torch

from seg.models.unet import NORMS, UPSAMPLINGS, UNet

SIZES = [(65, 97), (3, 3), (1, 500), (500, 1), (1, 1), (64, 64), (16, 31), (33, 16)]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def _small(**changes):
    return UNet(**{"in_channels": 1, "out_channels": 1, "width": 4, "norm": "none"} | changes)


def _parameters(**changes):
    with torch.device("meta"):  # counts without memory
        model = UNet(**{"width": 64, "depth": 4, "norm": "none"} | changes)
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("in_channels", "expected"), [(3, 31_031_745), (1, 31_030_593)], ids=["colour", "grey"]
)
def test_the_documents_networks_have_as_many_parameters_as_they_say(in_channels, expected):
    assert _parameters(in_channels=in_channels, out_channels=1) == expected


def test_a_further_class_costs_one_row_of_the_head():
    one, four = (_parameters(in_channels=3, out_channels=n) for n in (1, 4))
    assert four - one == 3 * (64 + 1)


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_a_normalisation_trades_one_bias_for_a_scale_and_a_shift(norm):
    channels = 2 * (64 + 128 + 256 + 512 + 1024 + 512 + 256 + 128 + 64)  # convolutions' outputs
    plain = _parameters(in_channels=3, out_channels=1)
    assert _parameters(in_channels=3, out_channels=1, norm=norm) - plain == channels


@pytest.mark.parametrize("size", SIZES, ids=lambda s: "x".join(map(str, s)))
@pytest.mark.parametrize("up", UPSAMPLINGS)
def test_output_has_the_height_and_width_of_the_input(size, up):
    model = _small(up=up, norm="batch").eval()
    with torch.no_grad():
        logits = model(torch.rand(2, 1, *size))
    assert logits.shape == (2, 1, *size)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_every_depth_keeps_the_geometry(depth):
    with torch.no_grad():
        assert _small(depth=depth, width=2)(torch.rand(1, 1, 37, 21)).shape == (1, 1, 37, 21)


@pytest.mark.parametrize("in_channels", [1, 2, 3, 7])
@pytest.mark.parametrize("out_channels", [1, 2, 9])
def test_any_channels_and_classes(in_channels, out_channels):
    model = _small(in_channels=in_channels, out_channels=out_channels, depth=2)
    assert model(torch.rand(2, in_channels, 9, 11)).shape == (2, out_channels, 9, 11)


@pytest.mark.parametrize(("norm", "up"), list(itertools.product(NORMS, UPSAMPLINGS)))
@pytest.mark.parametrize("width", [3, 8])
def test_every_norm_and_upsampling_trains(norm, up, width):
    model = _small(norm=norm, up=up, width=width, in_channels=3, out_channels=2, dropout=0.1)
    logits = model(torch.rand(2, 3, 33, 40))
    logits.square().mean().backward()
    assert logits.shape == (2, 2, 33, 40)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    reached = sum(bool(p.grad.abs().sum() > 0) for p in model.parameters())
    assert reached > 0.9 * len(list(model.parameters()))  # a bias before a norm may get none


@pytest.mark.parametrize("norm", ["none", "group", "instance"])
def test_one_image_is_predicted_as_in_a_batch(norm):
    model = _small(norm=norm).eval()
    images = torch.rand(3, 1, 40, 24)
    with torch.no_grad():
        together = model(images)
        for i in range(3):
            torch.testing.assert_close(model(images[i : i + 1]), together[i : i + 1])


def test_dropout_acts_in_training_alone():
    model = _small(dropout=0.5, width=8)
    image = torch.rand(1, 1, 32, 32)
    assert not torch.equal(model(image), model(image))
    model.eval()
    assert torch.equal(model(image), model(image))


def test_no_dropout_is_the_same_in_training_and_prediction():
    model = _small()
    image = torch.rand(1, 1, 32, 32)
    assert torch.equal(model(image), model.eval()(image))


def test_channels_last_gives_the_same_logits():
    model, image = _small(in_channels=3, norm="batch").eval(), torch.rand(2, 3, 35, 48)
    with torch.no_grad():
        expected = model(image)
        model = model.to(memory_format=torch.channels_last)
        logits = model(image.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)


def test_the_input_is_left_as_it_was():
    image = torch.rand(1, 1, 32, 32)
    before = image.clone()
    _small()(image)
    assert torch.equal(image, before)


def test_intensities_neither_fade_nor_explode_on_the_way():
    image = torch.randn(2, 3, 64, 64)
    for up in UPSAMPLINGS:
        deviation = _small(in_channels=3, width=16, up=up)(image).std().item()
        assert 0.02 < deviation < 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm": "layer"}, r"model\.norm='layer' is none of none, batch, instance, group"),
        ({"up": "nearest"}, r"model\.up='nearest' is none of transposed, bilinear"),
        ({"depth": 0}, r"model\.depth=0"),
        ({"width": 0}, r"model\.width=0"),
        ({"width": -4}, r"model\.width=-4"),
        ({"dropout": 1.0}, r"model\.dropout=1\.0"),
        ({"dropout": -0.1}, r"model\.dropout=-0\.1"),
        ({"dropout": float("nan")}, r"model\.dropout=nan"),
    ],
)
def test_bad_values_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        _small(**changes)


# Where an output looks. The kidney document's network took valid convolutions and stretched the
# middle of the image, 88 of 128 pixels, over all of it: masks were off by 20 pixels at the border.


def _linear(model, value=0.1):
    """Positive weights, no biases: on a positive image every ReLU is open, paths only add up."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.fill_(value if name.endswith("weight") else 0.0)
    return model


def _taps(model, *, through):
    """Weights that carry channel 0 on unchanged: over the first skip connection, or the bottom."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        blocks = [model.stem, *model.down, *(stage.conv for stage in model.up)]
        for block in blocks:
            for convolution in (block[0], block[3]):
                convolution.weight[0, 0, 1, 1] = 1
        if through == "bottom":
            for stage in model.up:
                entry = stage.conv[0].weight
                entry.zero_()
                entry[0, entry.shape[1] // 2, 1, 1] = (
                    1  # after the skip's channels come those of `up`
                )
                carrier = (
                    stage.up if isinstance(stage.up, torch.nn.ConvTranspose2d) else stage.up[0]
                )
                carrier.weight[0, 0] = 1  # all four places of a transposed one: it repeats values
        model.head.weight[0, 0] = 1
    return model


def _reference_block_maxima(image, block):
    """Each block's maximum, over the block; the last row and column are repeated to fill up."""
    height, width = image.shape
    out = np.empty_like(image)
    for y in range(height):
        for x in range(width):
            rows = [min(r, height - 1) for r in range(y // block * block, (y // block + 1) * block)]
            columns = [
                min(c, width - 1) for c in range(x // block * block, (x // block + 1) * block)
            ]
            out[y, x] = image[np.ix_(rows, columns)].max()
    return out


@pytest.mark.parametrize("size", SIZES, ids=lambda s: "x".join(map(str, s)))
@pytest.mark.parametrize("up", UPSAMPLINGS)
def test_what_passes_the_skip_connection_stays_at_its_pixel(size, up):
    model = _taps(_small(up=up), through="skip")
    image = torch.rand(1, 1, *size)
    assert torch.equal(model(image), image)


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (3, 3), (20, 31)])
@pytest.mark.parametrize("depth", [1, 3, 4])
def test_what_passes_the_bottom_stays_in_its_block(size, depth):
    model = _taps(_small(depth=depth), through="bottom")
    image = torch.rand(1, 1, *size)
    with torch.no_grad():
        logits = model(image)
    expected = _reference_block_maxima(image[0, 0].numpy(), 2**depth)
    np.testing.assert_array_equal(logits[0, 0].numpy(), expected)


@pytest.mark.parametrize("up", UPSAMPLINGS)
@pytest.mark.parametrize("through", ["skip", "bottom"])
@pytest.mark.parametrize("axes", [(2,), (3,), (2, 3)])
def test_a_mirrored_image_gives_the_mirrored_map(up, through, axes):
    model = _taps(_small(up=up), through=through)
    image = torch.rand(1, 1, 48, 64)
    torch.testing.assert_close(model(image.flip(axes)), model(image).flip(axes))


@pytest.mark.parametrize("up", UPSAMPLINGS)
def test_an_image_moved_by_a_block_moves_the_map_by_a_block(up):
    model = _small(up=up, depth=2, width=8)
    image = torch.rand(1, 1, 96, 96)
    moved = image.roll((8, -12), dims=(2, 3))
    with torch.no_grad():
        expected = model(image).roll((8, -12), dims=(2, 3))
        inner = (..., slice(40, 56), slice(40, 56))  # away from the border and from the seam
        torch.testing.assert_close(model(moved)[inner], expected[inner])


@pytest.mark.parametrize("up", UPSAMPLINGS)
@pytest.mark.parametrize("size", [(64, 64), (65, 49)])
def test_each_output_looks_most_at_its_own_place_at_the_border_too(up, size):
    height, width = size
    model = _linear(_small(up=up, depth=1))
    image = torch.rand(1, 1, *size, requires_grad=True)
    logits = model(image)
    for y, x in itertools.product((0, height // 2, height - 1), (0, width // 2, width - 1)):
        (gradient,) = torch.autograd.grad(logits[0, 0, y, x], image, retain_graph=True)
        gradient = gradient[0, 0].numpy()
        rows, columns = np.nonzero(gradient)
        assert gradient[y, x] > 0
        assert abs(rows - y).max() <= 11  # 2 + 2 x (1 + 2) + 2 pixels, and the place within a block
        assert abs(columns - x).max() <= 11
        peak = np.unravel_index(gradient.argmax(), gradient.shape)
        assert abs(np.subtract(peak, (y, x))).max() <= 4  # stretched valid convolutions: 8


def test_every_pixel_of_the_input_matters():
    image = torch.rand(1, 1, 37, 50, requires_grad=True)
    _linear(_small())(image).sum().backward()
    assert (image.grad > 0).all()
