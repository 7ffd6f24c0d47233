"""What core's energies are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, MinLen

from ebmkit.components import Component, Selection

Width = Annotated[int, Gt(0)]
Activation = Literal["leaky-relu", "silu"]
Head = Literal["linear", "half-squared-norm"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MlpConfig:
    """A fully connected network over the flattened event.

    Attributes:
        widths: of the hidden layers.
        features: of the vector f before the head; 0 takes the last hidden layer.
        head: "linear" gives w·f + b, "half-squared-norm" gives ½‖f‖².
        activation: between layers.
        labels: whether the energy sees the class label of the point.
        conditioning: length of the vector that joins the event; 0 for none, unless labels ask for the first width.
    """

    widths: Annotated[tuple[Width, ...], MinLen(1)] = (128, 128)
    features: Annotated[int, Ge(0)] = 0
    head: Head = "linear"
    activation: Activation = "silu"
    labels: bool = False
    conditioning: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ResnetConfig:
    """A residual network for images of 28×28 to 128×128, grey or colour.

    Attributes:
        widths: channels of each stage; the stem has the first; 2×2 average pooling between stages.
        blocks: residual blocks in a stage.
        n_scales: separate stems and stages on the image, ½ of it, ¼ of it …, pooled features concatenated.
        hidden: width of the layer between the pooled features and f.
        features: of the vector f before the head.
        head: "half-squared-norm" gives ½‖f‖², "linear" gives w·act(f) + b.
        activation: before each convolution; leaky ReLU has slope 0.2.
        spectral_norm: on every convolution.
        linear_std: s.d. of the initial weights of linear layers; .01, published for a hidden width of 2,048, leaves a
            small network idle for its first hundreds of steps.
        mean: of x, per channel or for all; subtracted first.
        std: of x, per channel or for all; divided by.
        labels: whether the energy sees the class label of the point.
        conditioning: length of the vector that shifts and scales every block; 0 for none, unless labels ask for 64.
    """

    widths: Annotated[tuple[Width, ...], MinLen(1)] = (32, 64, 64, 128)
    blocks: Annotated[int, Interval(ge=1, le=16)] = 1
    n_scales: Annotated[int, Interval(ge=1, le=5)] = 1
    hidden: Width = 256
    features: Width = 128
    head: Head = "linear"
    activation: Activation = "leaky-relu"
    spectral_norm: bool = True
    linear_std: Annotated[float, Gt(0)] = 0.08
    mean: Annotated[tuple[float, ...], MinLen(1)] = (0.5,)
    std: Annotated[tuple[Annotated[float, Gt(0)], ...], MinLen(1)] = (0.5,)
    labels: bool = False
    conditioning: Annotated[int, Ge(0)] = 0


def _gives(config: MlpConfig | ResnetConfig, selection: Selection) -> tuple[str, ...]:
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
        config=ResnetConfig,
        build="ebmkit.energies.resnet:build_resnet",
        summary="residual network for images, spectral norm optional",
        cite="He, Zhang, Ren, Sun, Deep residual learning for image recognition, CVPR 2016; "
        "Miyato, Kataoka, Koyama, Yoshida, Spectral normalization for GANs, ICLR 2018",
        gives=_gives,
    ),
)
