"""Augmentation of the chains before they move. It does not leave the density invariant, and claims nothing."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.ops.augmentation import PRESETS, Augmentation, augment
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.declarations.augment import AUGMENT, AugmentConfig


class Augment:
    """Replaces each chain, with probability p, by an augmented copy of itself (Du et al., 2021; Lee et al., 2023)."""

    traits = AUGMENT

    def __init__(self, law: Augmentation, p: float, value_range: tuple[float, float] | None) -> None:
        self.law, self.p, self.value_range = law, p, value_range

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point."""
        return SamplerState(point=point, rng=rng, tuning=tuning or {})

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state with augmented chains; the energy is not asked, and no move is counted."""
        x = state.point.x
        changed = self._changed(x, state.rng) if self.p else x
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(x), device=x.device), n_moves=0, n_gradients=0)
        return replace(state, point=state.point.replace(x=changed)), info

    def _changed(self, x: Tensor, rng: Generator) -> Tensor:
        changed = augment(x, rng, self.law, self.value_range)
        if self.p < 1:
            chosen = torch.rand(len(x), generator=rng, device=x.device) < self.p
            changed = torch.where(chosen[:, None, None, None], changed, x)
        return changed


def build_augment(config: AugmentConfig, context: BuildContext) -> Augment:
    """Builds the sampler; raises CapabilityError where the data are not images."""
    shape = context.event_shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise CapabilityError(f"augment needs grey or colour images, but a datum has shape {shape}.")
    if context.x_is_noised:
        raise CapabilityError(
            "augment works in the range of the data, but a coordinate noises x: leave one of them out."
        )
    if context.value_range is None:
        raise CapabilityError("augment needs images in a value range, but these data are unbounded: leave it out.")
    law = replace(PRESETS[config.preset].jittered(config.strength), flip=config.flip)
    return Augment(law if config.crop is None else replace(law, crop=config.crop), config.p, context.value_range)
