"""What core's energies are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, MinLen

from ebmkit.energies.resnet_config import Activation, Head, ResNetConfig, Width, contradiction
from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class MlpConfig:
    """A fully connected network over the flattened event.

    Attributes:
        widths: of the hidden layers.
        features: of the vector f before the head; 0 takes the last hidden layer.
        head: "linear" gives w·f + b, "half-squared-norm" gives ½‖f‖².
        activation: between layers.
        labels: whether the energy sees the class label of the point.
        conditioning: length of the vector that multiplies and shifts every layer; 0 for none, unless labels ask for
            the first width.
        first_gain: factor on the initial weights of the first layer, whose biases have twice that: above 1, a small
            network is sharp from the start.
        mean: of each entry of x, taken away before the first layer: one for all or one each; unset, 0.
        std: s.d. of each entry of x, by which it is divided; unset, 1.
        frequencies: random waves of the event, sine and cosine, that join it as inputs; 0 for none.
        frequency_sd: s.d. of their frequencies, radians per data unit: about one over the smallest detail.
    """

    widths: Annotated[tuple[Width, ...], MinLen(1)] = (128, 128)
    features: Annotated[int, Ge(0)] = 0
    head: Head = "linear"
    activation: Activation = "silu"
    labels: bool = False
    conditioning: Annotated[int, Ge(0)] = 0
    first_gain: Annotated[float, Gt(0)] = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[Annotated[float, Gt(0)], ...] = ()
    frequencies: Annotated[int, Ge(0)] = 0
    frequency_sd: Annotated[float, Gt(0)] = 3.0


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ConvNetConfig:
    """Strided convolutions and two dense layers, for images.

    Attributes:
        widths: channels of the convolutions: a 3×3 one, and one 4×4 of stride 2 for each further width.
        hidden: width of the dense layer on all places of the last convolution.
        features: of the vector f before the head.
        head: "linear" gives w·f + b, "half-squared-norm" gives ½‖f‖².
        activation: after every layer but the last.
    """

    widths: Annotated[tuple[Width, ...], MinLen(1)] = (16, 32, 32)
    hidden: Width = 512
    features: Width = 256
    head: Head = "linear"
    activation: Activation = "silu"


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class GaussianBaseConfig:
    """A Gaussian beside the network: p(x) ∝ exp(−E(x)/T) · N(x; m, s²I).

    Attributes:
        mean: m of each entry, data units.
        sd: s, data units: about that of the data, or somewhat more.
    """

    mean: float = 0.0
    sd: Annotated[float, Ge(1e-6)] = 1.0


def _has_levels(config: GaussianBaseConfig, selection: Selection) -> str:
    if not selection.noised:
        return ""
    return (
        f"the coordinate '{selection.noised[0]}' noises x, so the Gaussian would have to know of it: give the wrapper "
        'of that coordinate base = "gaussian".'
    )


def _refused(config: ResNetConfig, selection: Selection) -> str:
    return _no_images(config, selection) or contradiction(config)


def _no_images(config: ResNetConfig | ConvNetConfig, selection: Selection) -> str:
    shape = selection.event_shape
    if shape is None or len(shape) == 3:
        return ""
    return f"it needs images [channels, height, width], but a datum has shape {shape}: use --energy mlp."


def _norm(config: ConvNetConfig, selection: Selection) -> tuple[str, ...]:
    return ("energy.features", *(("energy.half-squared-norm",) if config.head == "half-squared-norm" else ()))


def _gives(config: MlpConfig | ResNetConfig, selection: Selection) -> tuple[str, ...]:
    words = ["energy.features"]
    if config.head == "half-squared-norm":
        words.append("energy.half-squared-norm")
    if config.labels:
        words.append("energy.labels")
    if config.conditioning:
        words.append("energy.condition")
    return tuple(words)


COMPONENTS = (
    Component(
        kind="energy",
        name="mlp",
        config=MlpConfig,
        build="ebmkit.energies.mlp:build_mlp",
        summary="fully connected network, any event shape",
        gives=_gives,
    ),
    Component(
        kind="energy",
        name="resnet",
        config=ResNetConfig,
        build="ebmkit.energies.resnet:build_resnet",
        summary="residual network for images; spectral norm or standardised weights, self-attention",
        cite=(
            "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun (2016). Deep residual learning for image recognition. "
            "CVPR. arXiv:1512.03385; Takeru Miyato, Toshiki Kataoka, Masanori Koyama, Yuichi Yoshida (2018). Spectral "
            "normalization for generative adversarial networks. ICLR. arXiv:1802.05957"
        ),
        gives=_gives,
        refuse=_refused,
    ),
    Component(
        kind="energy",
        name="convnet",
        config=ConvNetConfig,
        build="ebmkit.energies.convnet:build_convnet",
        summary="a few strided convolutions and two dense layers; the cheapest network for small images",
        gives=_norm,
        refuse=_no_images,
    ),
    Component(
        kind="wrapper",
        name="gaussian-base",
        config=GaussianBaseConfig,
        build="ebmkit.energies.gaussian_base:build_gaussian_base",
        summary="adds the energy of a Gaussian: chains far from all data come back, whatever the network says there",
        cite=(
            "Jianwen Xie, Yang Lu, Song-Chun Zhu, Ying Nian Wu (2016). A theory of generative ConvNet. ICML. "
            "arXiv:1602.03264"
        ),
        # Hidden features put it outside of heads, which take the features of what is inside and may drop its energy.
        hides=("energy.half-squared-norm", "energy.features"),
        refuse=_has_levels,
    ),
)
