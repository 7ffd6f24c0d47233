"""Energies at several scales of an image, and their sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmkit import BuildContext, CapabilityError, Point, abilities_of, at_least_fp32, lacks_ability, values_of
from ebmkit.energies.compose import is_combined
from ebmkit.energies.gaussian_base import GaussianBase
from ebmkit_improved_cd.declarations import MultiscaleConfig, halved, not_scalable, too_many_networks


def pyramid(x: Tensor, n_scales: int) -> list[Tensor]:
    """Returns the image [B, C, H, W], ½ of it, ¼ of it …: 3×3 means, stride 2, zeros beyond the border count."""
    images = [x]
    while len(images) < n_scales:
        images.append(functional.avg_pool2d(images[-1], 3, stride=2, padding=1))
    return images


class Multiscale(nn.Module):
    """E(x) = Σ_s E_s(x_s), x_s the image pooled s times; sampler and density see the sum.

    Features are those of all scales side by side, so E = ½‖f‖² stays true where it holds for each: ½‖f‖² = Σ ½‖f_s‖².
    Label, level and conditioning vector reach every scale. A latent does not come out: those of several networks have
    no common meaning; put a latent head around the whole.

    There is one pass for each scale. The networks share no weight and no image size, so nothing could be batched; a
    scale has a quarter of the pixels of the one before, and all of them together cost about a third more than one.

    Source: Du, Li, Tenenbaum, Mordatch (2021), multi-scale energies. The published losses take the mean over the
        scales and square each on its own; here they see the sum.
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        shared = frozenset.intersection(*map(abilities_of, self.networks))
        self.abilities = frozenset(name for name in shared if name == "features" or is_combined(name))

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns what was asked for: sums of "energy" [B] and "levels.NAME" [B, L], nats, all "features" [B, ΣF]."""
        for name in abilities:
            if name not in self.abilities:
                raise lacks_ability(self, name)
        images = pyramid(point.x, len(self.networks))
        answers = [
            values_of(network, point.replace(x=image), *abilities)
            for network, image in zip(self.networks, images, strict=True)
        ]
        return {name: _together(name, [answer[name] for answer in answers]) for name in abilities}

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]


def _together(name: str, values: Sequence[Tensor]) -> Tensor:
    if not is_combined(name):
        return torch.cat(list(values), dim=1)
    return torch.stack([at_least_fp32(value) for value in values]).sum(dim=0)


def build_multiscale(config: MultiscaleConfig, context: BuildContext) -> Multiscale:
    """Builds the smaller networks beside `context.inner`.

    Raises:
        CapabilityError: there is no energy to wrap, the image has not so many scales, a network does not suit its, or
            each would have a Gaussian of its own.
    """
    wrong = too_many_networks(config) or not_scalable(config, context.event_shape)
    if wrong:
        raise CapabilityError(f"multiscale: {wrong}")
    if context.inner is None:
        raise CapabilityError("multiscale wraps an energy, found none: set inner in the BuildContext.")
    if isinstance(context.inner, GaussianBase):
        raise CapabilityError(
            "multiscale builds what is inside it once for each scale, and the sum of a Gaussian of each is not that of "
            "wrapper gaussian-base: leave one of them out."
        )
    networks, shape = [context.inner], context.event_shape
    for scale in range(1, config.n_scales):
        shape = halved(shape)
        settings = config.networks[scale - 1] if scale <= len(config.networks) else {}
        networks.append(_smaller(settings, context, shape, scale))
    return Multiscale(networks)


def _smaller(settings: Mapping[str, Any], context: BuildContext, shape: tuple[int, ...], scale: int) -> nn.Module:
    if context.make_inner is None:
        raise CapabilityError("multiscale builds an energy for each scale: set make_inner in the BuildContext.")
    try:
        network: nn.Module = context.make_inner(event_shape=shape, index=scale, **settings)
        return network
    except CapabilityError as error:
        raise CapabilityError(
            f"multiscale cannot build the energy at scale {scale}, of {shape[1]}×{shape[2]} pixels: {error} Give that "
            f"scale settings of its own, wrapper.multiscale.networks, or set wrapper.multiscale.n_scales = {scale}."
        ) from error
