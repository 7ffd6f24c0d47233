"""Settings of the residual network, and which of them contradict each other. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, MinLen

from ebmkit.plugins.component import Selection
from ebmkit.plugins.short_repr import short_repr

Width = Annotated[int, Gt(0)]
Activation = Literal["leaky-relu", "silu", "softplus"]
Head = Literal["linear", "half-squared-norm"]


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ResNetConfig:
    """A residual network for images of 28×28 to 128×128, grey or colour.

    Attributes:
        widths: channels of each stage; the stem has the first; the image is halved from one stage to the next.
        blocks: residual blocks in a stage, or a number for each stage; a stage may have none.
        block: "plain" is activation, convolution, twice, without norms; "standardised" is convolution with standardised
            weights, norm (of each channel up to 128 channels, else of 32 groups), activation, twice.
        downsample: from one stage to the next: "average" pools 2×2; "conv-average" has a 3×3 convolution, which changes
            the width, and pools 3×3.
        attention: sides of the feature maps that get a self-attention, where a stage begins.
        shortcut: of a plain block that changes the width: a 1×1 convolution, or 3×3.
        n_scales: separate stems and stages on the image, ½ of it, ¼ of it …, pooled features concatenated.
        pool: "mean" or "sum" over the places of the last stage.
        hidden: width of the layer between the pooled features and f; 0 for none.
        features: of the vector f before the head; 0 takes the hidden layer, or the pooled features, as it is.
        head: "half-squared-norm" gives ½‖f‖², "linear" gives w·act(f) + b (w·f + b of pooled features: they are
            activations already).
        activation: before each convolution of a plain block, after each of a standardised one; leaky ReLU has slope
            0.2, "silu" is also called swish.
        spectral_norm: on every convolution; unset: for plain blocks.
        linear_std: s.d. of the initial weights of linear layers; .01, published for a hidden width of 2,048, leaves a
            small network idle for its first hundreds of steps.
        mean: of x, per channel or for all; subtracted first; unset: .5, or 0 where a coordinate noises x.
        std: of x, per channel or for all; divided by; unset: .5, or 1 where a coordinate noises x.
        labels: whether the energy sees the class label of the point.
        label_as: "learned" adds an embedding to the conditioning vector, "one-hot" puts the label beside it.
        conditioning: length of the vector that shifts and scales every block; 0 for none, unless learned labels ask for
            64.
        modulation: what the vector, or the label, does to a block: "gain-and-bias", or "bias" alone.
    """

    widths: Annotated[tuple[Width, ...], MinLen(1)] = (32, 64, 64, 128)
    blocks: Annotated[int, Interval(ge=1, le=16)] | tuple[Annotated[int, Interval(ge=0, le=16)], ...] = 1
    block: Literal["plain", "standardised"] = "plain"
    downsample: Literal["average", "conv-average"] = "average"
    attention: tuple[Width, ...] = ()
    shortcut: Literal["1x1", "3x3"] = "1x1"
    n_scales: Annotated[int, Interval(ge=1, le=5)] = 1
    pool: Literal["mean", "sum"] = "mean"
    hidden: Annotated[int, Ge(0)] = 256
    features: Annotated[int, Ge(0)] = 128
    head: Head = "linear"
    activation: Activation = "leaky-relu"
    spectral_norm: bool | None = None
    linear_std: Annotated[float, Gt(0)] = 0.08
    mean: Annotated[tuple[float, ...], MinLen(1)] | None = None
    std: Annotated[tuple[Annotated[float, Gt(0)], ...], MinLen(1)] | None = None
    labels: bool = False
    label_as: Literal["learned", "one-hot"] = "learned"
    conditioning: Annotated[int, Ge(0)] = 0
    modulation: Literal["gain-and-bias", "bias"] = "gain-and-bias"

    def settled(self, selection: Selection) -> ResNetConfig:
        """Returns the config with spectral norm, mean and std decided."""
        mean, std = ((0.0,), (1.0,)) if selection.noised else ((0.5,), (0.5,))
        return replace(
            self,
            spectral_norm=self.has_spectral_norm,
            mean=mean if self.mean is None else self.mean,
            std=std if self.std is None else self.std,
        )

    @property
    def has_spectral_norm(self) -> bool:
        """Whether convolutions have spectral norm."""
        return self.block == "plain" if self.spectral_norm is None else self.spectral_norm

    def blocks_at(self, stage: int) -> int:
        """Returns the number of blocks in a stage."""
        return self.blocks if isinstance(self.blocks, int) else self.blocks[stage]


def groups(channels: int) -> int:
    """Returns how many groups of channels a norm has: one a channel up to 128 channels, else 32."""
    return channels if channels <= 128 else 32


def contradiction(config: ResNetConfig) -> str:
    """Returns why the settings cannot be together, whatever the data, or ""."""
    return next(_contradictions(config), "")


def _contradictions(config: ResNetConfig) -> Iterator[str]:
    if not isinstance(config.blocks, int) and len(config.blocks) != len(config.widths):
        n, wanted = len(config.blocks), len(config.widths)
        yield f"blocks has {n} numbers, but there are {wanted} widths: give one for each."
        return
    if config.label_as == "one-hot" and not config.labels:
        yield "label_as has no effect without labels: set energy.labels = true, or leave it out."
    if config.modulation == "bias" and not (config.labels or config.conditioning):
        yield "modulation has no effect without labels or conditioning: set one of them, or leave it out."
    if config.block == "standardised":
        yield from _unstandardised(config)
    for stage in range(1, len(config.widths)):
        before, width = config.widths[stage - 1 : stage + 1]
        if not config.blocks_at(stage) and before != width and config.downsample == "average":
            yield (
                f"stage {stage + 1} has no block that could widen {before} channels to {width}: set "
                "energy.downsample = 'conv-average', or give it a block."
            )


def _unstandardised(config: ResNetConfig) -> Iterator[str]:
    if config.has_spectral_norm:
        yield "block = 'standardised' standardises the weights that spectral norm would scale: set one or the other."
    if config.shortcut != "1x1":
        yield "shortcut has no effect on standardised blocks: leave it out."
    for width in config.widths:
        if width % groups(width):
            yield f"the norm of standardised blocks needs a multiple of 32 above 128 channels, found {width}."
