"""Networks of segmentation_models_pytorch, with its encoders and those of timm.

Iakubovskii 2019, github.com/qubvel-org/segmentation_models.pytorch; Wightman 2019, timm.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from seg.models import hub
from seg.models.libraries import build, load_library, nearest
from seg.models.normalize import Statistics, by_channel
from seg.models.single_values import spare_single_values
from seg.models.sizes import norm_of, pad_to_multiple, require_pixels

EXTRA = "smp"
TIMM = "tu-"  # before the names of timm's encoders
LEFT_OUT = ("activation", "aux_params")  # the loss takes logits, and nothing beside them
DECODER_HALVINGS = {"dpt": 2, "pan": 8}  # of the lowest feature maps: by which factor


class SMPNetwork(nn.Module):
    """Encoder, decoder and head of an architecture of segmentation_models_pytorch.

    Args:
        in_channels: of the image.
        out_channels: of the logits.
        arch: `unet`, `unetplusplus`, `fpn`, `deeplabv3plus`, `segformer`, ... in lower case.
        encoder: a name of the library, or `tu-` and one of timm.
        weights: `imagenet` or other weights that the library has of the encoder; None for random
            ones. Of timm's encoders `imagenet` means the weights that the name stands for.
        arguments: as the architecture calls them, such as `decoder_channels`; with an encoder of
            timm also those of timm.create_model.

    Attributes:
        expects: means and standard deviations by channel, in 0-255, that normalised the images that
            the weights were trained on; None with random weights.

    Raises:
        ImportError: the library is missing; it names the extra.
        OSError: the weights cannot be downloaded.
        ValueError: there is no such architecture, encoder, weights or argument.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        arch: str = "unet",
        encoder: str = "resnet34",
        weights: str | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__()
        library = load_library("segmentation_models_pytorch", extra=EXTRA)
        architectures = library.MODEL_ARCHITECTURES_MAPPING
        if arch not in architectures:
            raise ValueError(f"model.arch={arch}: no such{nearest(arch, sorted(architectures))}")
        _require_encoder(library, encoder)
        is_timm = encoder.startswith(TIMM)
        given: str | bool | None = None
        url: str | None = None
        self.expects: Statistics | None = None
        if weights is not None:
            find = _timm_weights if is_timm else _library_weights
            given, url, more, statistics = find(library, encoder, weights)
            arguments |= more
            self.expects = by_channel(statistics, in_channels)
        if arch == "dpt" and is_timm:
            arguments.setdefault("dynamic_img_size", True)  # else one size alone
        network = build(
            architectures[arch],
            {
                "encoder_name": encoder,
                "encoder_weights": given,
                "in_channels": in_channels,
                "classes": out_channels,
            },
            arguments,
            left_out=LEFT_OUT,
            passes_on=is_timm,
            url=url,
        )
        self.encoder, self.decoder = network.encoder, network.decoder
        self.head = network.segmentation_head
        self.stride = self.encoder.output_stride
        self.divisor = self.stride * DECODER_HALVINGS.get(arch, 1)
        self.norm = norm_of(self)
        spare_single_values(self)

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, C, H, W) of any H and W to logits (N, out_channels, H, W)."""
        height, width = image.shape[-2:]
        padded = pad_to_multiple(image, self.divisor)
        if self.training:
            require_pixels(padded, self.stride, norm=self.norm)
        features = self.encoder(padded)
        # a vision transformer gives further tokens beside its feature maps
        joined = self.decoder(*features) if isinstance(features, tuple) else self.decoder(features)
        return self.head(joined)[..., :height, :width]


class TimmUNet(SMPNetwork):
    """U-Net of segmentation_models_pytorch on an encoder of timm, by timm's name.

    Arguments as `SMPNetwork`, without `arch`.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        encoder: str,
        weights: str | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            encoder=f"{TIMM}{encoder.removeprefix(TIMM)}",
            weights=weights,
            **arguments,
        )


def _require_encoder(library: ModuleType, encoder: str) -> None:
    if encoder.startswith(TIMM):
        timm, name = load_library("timm", extra=EXTRA), encoder.removeprefix(TIMM)
        if not timm.is_model(name):
            near = nearest(name.partition(".")[0], timm.list_models())
            raise ValueError(f"model.encoder={encoder}: timm has no {name}{near}")
    elif encoder not in library.encoders.encoders:
        near = nearest(encoder, library.encoders.encoders)
        raise ValueError(
            f"model.encoder={encoder}: no such encoder{near}; those of timm begin with {TIMM}"
        )


def _library_weights(
    library: ModuleType, encoder: str, weights: str
) -> tuple[str, None, dict[str, Any], Statistics]:
    """What the architecture is given, an address that it downloads from, further arguments, and the
    statistics of RGB in 0-255.
    """
    known = library.encoders.encoders[encoder]["pretrained_settings"]
    if weights not in known:
        raise ValueError(
            f"model.weights={weights}: {encoder} has {', '.join(known) or 'none'}, or null"
        )
    repo, revision = known[weights]["repo_id"], known[weights]["revision"]
    hub.fetch(repo, "config.json", "model.safetensors", revision=revision)
    return (
        weights,
        None,
        {},
        _statistics(library.encoders.get_preprocessing_params(encoder, weights)),
    )


def _timm_weights(
    library: ModuleType, encoder: str, weights: str
) -> tuple[bool, str | None, dict[str, Any], Statistics]:
    name = encoder.removeprefix(TIMM)
    if weights != "imagenet":
        raise ValueError(
            f"model.weights={weights}: of timm's encoders imagenet or null; others are named after "
            f"a dot, model.encoder={name.partition('.')[0]}.NAME"
        )
    about = load_library("timm", extra=EXTRA).get_pretrained_cfg(name)
    if about is None or not about.has_weights:
        raise ValueError(f"model.weights={weights}: timm has none of {name}; set null")
    more = {}
    if about.hf_hub_id and not about.custom_load:
        repo, _, revision = about.hf_hub_id.partition("@")
        file = about.hf_hub_filename or "model.safetensors"
        paths = hub.fetch(repo, file, revision=revision or "main")
        more["pretrained_cfg_overlay"] = {"file": str(paths[0])}
    return True, about.url, more, _statistics(about.to_dict())


def _statistics(about: Mapping[str, Any]) -> Statistics:
    most = about.get("input_range", [0, 1])[1]
    means, deviations = ([255 / most * v for v in about[key]] for key in ("mean", "std"))
    return means, deviations
