"""MALA within Gibbs, as a mixture over levels: moves of x at a fixed level, then a draw of the level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit import (
    BuildContext,
    CapabilityError,
    EnergyView,
    Goes,
    Point,
    Sampler,
    SamplerInfo,
    SamplerState,
    Tail,
    Tuning,
)
from ebmkit.samplers.declarations.gibbs import GibbsConfig
from ebmkit.samplers.declarations.metropolis import MalaConfig
from ebmkit.samplers.declarations.steps import StepConfig
from ebmkit.samplers.gibbs import build_gibbs
from ebmkit.samplers.mala import Mala, build_mala
from ebmkit.samplers.sequence import Sequence
from ebmkit.samplers.step_size import count_values
from ebmkit_diffusion.declarations import MgmsConfig
from ebmkit_diffusion.level import LEVEL, Level
from ebmkit_diffusion.level_mixing import JUMPS, first_record, level_metrics, recorded
from ebmkit_diffusion.level_mixing_figure import level_figure

RECORD = "levels"
"""Key in the tuning under which the diagnostics are pooled, and name of their figure."""


class Mgms:
    """K moves of `mala` with a step size for each level, then `gibbs` on the level; keeps count of how levels mix.

    Attributes:
        sequence: both parts, which make the transition.

    Source: Zhang, Tan, Ou, Stat 2023. Their code has a wrong acceptance ratio; this is core's `mala`, which is exact.
    """

    def __init__(self, *, config: MgmsConfig, first_steps: Tensor, sequence: Sequence) -> None:
        self.first_steps, self.sequence = first_steps, sequence
        self.memory, self.accept = config.memory, config.accept
        self.children = sequence.children
        self.traits = sequence.traits

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point."""
        first = self.first_steps.to(point.x)
        given = dict(tuning or {})
        state = self.sequence.init(point, rng, {**given, "0": {"step_size": first, **given.get("0", {})}})
        record = given.get(RECORD) or first_record(len(first), first.device)
        return replace(state, tuning={**state.tuning, RECORD: record})

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after the moves of x and the draw of the level; a tail's graph is that of the moves."""
        after, info = self.sequence.step(view, state, tail=tail)
        before, level = state.point.aux[LEVEL], after.point.aux[LEVEL]
        record = recorded(state.tuning[RECORD], before, level, info.children[0], self.memory)
        return replace(after, tuning={**after.tuning, RECORD: record}), info

    def without(self, goes: Goes, tuning: Tuning) -> tuple[Sampler, Tuning] | None:
        """Returns itself where nothing goes, else what is left of its parts: they are no mixture over levels."""
        kept = self.sequence.without(goes, tuning)
        return (self, tuning) if kept is not None and kept[0] is self.sequence else kept

    def metrics(self, info: SamplerInfo, tuning: Tuning) -> Mapping[str, Tensor]:
        """Returns how flat the levels are, how they mix, and share, acceptance and step of each level."""
        return level_metrics(tuning[RECORD], tuning["0"]["step_size"])

    def figures(self, tuning: Tuning) -> Mapping[str, Any]:
        """Returns one figure, "levels"."""
        if not tuning or not bool(tuning[RECORD][JUMPS].any()):
            return {}
        return {RECORD: level_figure(tuning[RECORD], tuning["0"]["step_size"], self.accept)}


def first_steps(config: MgmsConfig, context: BuildContext) -> Tensor:
    """Returns the step sizes [T + 1], data units, where adaptation starts."""
    steps = torch.full((count_values(context, LEVEL),), config.step_size, device=context.device)
    if config.first_steps == "equal":
        return steps
    level = context.coordinate(LEVEL)
    if not isinstance(level, Level):
        raise CapabilityError(
            "mgms.first_steps = \"noise\" needs the schedule of the coordinate 'level' of ebmkit-diffusion, found "
            f'{type(level).__name__}: set "equal" instead.'
        )
    noise = torch.tensor([level.betas[1], *level.betas[1:]], dtype=torch.float64).sqrt()
    return steps * noise.to(steps)


def moves_at_a_level(config: StepConfig, context: BuildContext, warmup: int = 0) -> Mala:
    """Returns core's `mala` with a step size for each level."""
    mala = MalaConfig(
        moves=config.moves,
        step_size=config.step_size,
        step_size_per=LEVEL,
        adapt=config.adapt,
        adapt_every=config.adapt_every,
        accept=config.accept,
        warmup=warmup,
    )
    return build_mala(mala, context)


def build_mgms(config: MgmsConfig, context: BuildContext) -> Mgms:
    """Builds the sampler; raises CapabilityError where the run has no discrete coordinate 'level'."""
    gibbs = GibbsConfig(coordinate=LEVEL, window=config.window)
    sequence = Sequence([moves_at_a_level(config, context, config.warmup), build_gibbs(gibbs, context)])
    return Mgms(config=config, first_steps=first_steps(config, context), sequence=sequence)
