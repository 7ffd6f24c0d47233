"""The objective of CLEL: an encoder learns latents of the data by contrast, and they guide the energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ebmkit import (
    BuildContext,
    CapabilityError,
    Coordinate,
    Energy,
    Phases,
    Point,
    Requires,
    Selection,
    abilities_of,
    guidance_strength,
    seeded,
)
from ebmkit.energies.probe import length_of
from ebmkit.ops.augmentation import PRESETS, augment
from ebmkit_clel.declarations import ClelConfig, not_images
from ebmkit_clel.encoders import Encoder, make_encoder
from ebmkit_clel.losses import guidance, nt_xent

ENCODED_AT_ONCE = 256
"""Images in a pass of `Clel.encode`."""


class Clel(nn.Module):
    """Guidance −β·mean w·cos(g(f(x⁺)), sg[h(t(x))]), and a contrastive loss of h with further keys sg[g(f(x⁻))].

    The latent has no negative phase: it is integrated out of the model, and its normaliser depends on no x. The target,
    the extra keys and x⁻ carry no gradient, so the energy and the encoder never exchange any.

    Source: Lee, Jeong, Park, Shin, ICLR 2023, and its reference code. With coordinates, which it does not have, the
    guidance is weighted by how much of the datum the lifted point still holds, and only negatives that hold enough of
    one serve as keys.
    """

    requires = Requires(negatives=False, abilities=frozenset({"energy", "latent"}))

    def __init__(
        self,
        config: ClelConfig,
        encoder: Encoder,
        *,
        coordinates: Sequence[Coordinate] = (),
        value_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.coordinates = tuple(coordinates)
        self.value_range = value_range

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns "guidance", nats, which moves the energy alone, and "contrastive", which moves the encoder alone."""
        latent = phases.evaluate("positive", "latent")
        weight = signal(self.coordinates, phases.positive) if self.config.weighting == "signal" else None
        target, views_a, views_b = self._encoded_views(phases)
        keys, mask = self._extra_keys(phases)
        if keys is not None:
            keys, mask = phases.joined(keys), None if mask is None else phases.joined(mask)
        views_a, views_b = phases.joined(views_a), phases.joined(views_b)
        return {
            "guidance": -self.config.beta * guidance(latent, target, weight),
            "contrastive": nt_xent(views_a, views_b, keys, mask, temperature=self.config.tau),
        }

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Returns h(x) [N, D] of unit norm, of clean images [N, *event] in data units, in evaluation mode."""
        training = self.encoder.training
        self.encoder.eval()
        try:
            return torch.cat([self.encoder(rows) for rows in torch.split(x, ENCODED_AT_ONCE)])
        finally:
            self.encoder.train(training)

    def _encoded_views(self, phases: Phases) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the constant target [B, D] and the latents [B, D] of two views, all in training mode."""
        x, own_view = phases.batch.x, self.config.target == "third-view"
        copies = torch.cat([x] * (3 if own_view else 2))
        views = augment(copies, phases.rng("clel"), PRESETS[self.config.preset], self.value_range)
        first, second, *third = torch.split(views, len(x))
        with torch.no_grad():
            target = self.encoder(third[0]) if own_view else None
        views_a, views_b = self.encoder(torch.cat([first, second])).chunk(2)
        return (views_a.detach() if target is None else target), views_a, views_b

    def _extra_keys(self, phases: Phases) -> tuple[Tensor | None, Tensor | None]:
        if phases.negative is None or not self.config.negative_keys:
            return None, None
        keys = phases.evaluate("negative", "latent").detach()
        if not self.coordinates:
            return keys, None
        return keys, signal(self.coordinates, phases.negative) >= self.config.key_signal


def signal(coordinates: Sequence[Coordinate], point: Point) -> Tensor:
    """Returns [B] in [0, 1]: how much of the datum each row still holds, the product over all coordinates."""
    held = torch.ones(len(point), device=point.x.device)
    for coordinate in coordinates:
        held = held * coordinate.signal(point)
    return held.detach()


def build_clel(config: ClelConfig, context: BuildContext) -> Clel:
    """Builds the objective for the energy `context.inner`.

    Raises:
        CapabilityError: the data are not images of a known value range, the energy has no latent or another β, or a
            batch is too small to be normalised.
    """
    _check(config, context)
    width = config.settled(Selection()).width
    assert width is not None
    n_latent = length_of(context.inner, "latent", context)
    with seeded(context.seed):
        encoder = make_encoder(config, width, context.event_shape, n_latent).to(context.device)
    return Clel(config, encoder, coordinates=context.coordinates, value_range=context.value_range)


def _check(config: ClelConfig, context: BuildContext) -> None:
    refused = not_images(context.event_shape)
    if refused:
        raise CapabilityError(f"clel cannot be used here: {refused}")
    if context.value_range is None:
        raise CapabilityError("clel augments images, and needs to know their value range; this data set has none.")
    if context.batch_size < 2:
        raise CapabilityError("clel normalises over a batch, and contrasts its rows: set run.batch_size to 2 or more.")
    if "latent" not in abilities_of(context.inner):
        raise CapabilityError("clel scores an energy with a latent, found none: add --wrapper latent-head.")
    beta = guidance_strength(context.inner)
    if beta is not None and beta != config.beta:
        raise CapabilityError(
            f"clel.beta is {config.beta:g}, but the latent head's is {beta:g}: one joint energy has one β. "
            "Set objective.clel.beta and wrapper.latent-head.beta alike."
        )
