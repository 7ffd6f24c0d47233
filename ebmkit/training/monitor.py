"""What a training step tells of itself: energies, chains, samplers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ebmkit.protocols.buffer import Buffer
from ebmkit.protocols.objective import Phases
from ebmkit.protocols.sampler import Composite, Monitored, Sampler, SamplerInfo, Tuning
from ebmkit.training.parts import Parts


def step_metrics(parts: Parts, phases: Phases, info: SamplerInfo | None, tuning: Tuning) -> dict[str, Tensor]:
    """Returns everything that a step tells of itself beside its losses, as named scalars on the device."""
    metrics = {**chain_metrics(phases, info), **sampler_metrics(parts.sampler, info, tuning)}
    if parts.requires.reference and parts.buffer is not None:
        metrics["buffer_filled"] = torch.tensor(float(rows_filled(parts.buffer)), device=parts.device)
    return metrics


def is_filled(buffer: Buffer, n: int) -> bool:
    """Returns whether n rows of a buffer, or all of a smaller one, hold chains that a sampler has moved."""
    return n == 0 or rows_filled(buffer) >= min(n, len(buffer))


def rows_filled(buffer: Buffer) -> int:
    """Returns how many rows of a buffer hold chains that a sampler has moved."""
    return buffer.filled


def chain_metrics(phases: Phases, info: SamplerInfo | None) -> dict[str, Tensor]:
    """Returns what tells how a step went: energies of both phases as far as an objective asked for them, and chains."""
    asked = {phase: phases.evaluated(phase) for phase in ("positive", "negative")}
    means = {phase: energy.detach().mean() for phase, energy in asked.items() if energy is not None}
    metrics = {f"energy_{phase}": mean for phase, mean in means.items()}
    if len(means) == 2:
        metrics["gap"] = means["positive"] - means["negative"]
    if phases.negative is None or info is None:
        return metrics
    moved = (phases.negative.x - info.start.x).flatten(1).square().mean(dim=1).sqrt().mean()
    return {
        **metrics,
        "chain_displacement": moved,
        "chain_accept_rate": info.accept_rate.mean(),
        "chain_x_mean": phases.negative.x.mean(),
        "chain_x_sd": phases.negative.x.std(),
    }


def sampler_metrics(sampler: Sampler, info: SamplerInfo | None, tuning: Tuning) -> dict[str, Tensor]:
    """Returns what a sampler and its parts say of a transition themselves, as named scalars."""
    if info is None:
        return {}
    values: dict[str, Tensor] = dict(sampler.metrics(info, tuning)) if isinstance(sampler, Monitored) else {}
    children = sampler.children if isinstance(sampler, Composite) else ()
    for i, (child, its) in enumerate(zip(children, info.children, strict=False)):
        values.update(sampler_metrics(child, its, tuning.get(str(i), {})))
    return values


def sampler_figures(sampler: Sampler, tuning: Tuning) -> dict[str, Any]:
    """Returns the matplotlib figures, by name, with which a sampler and its parts show how they are doing."""
    figures: dict[str, Any] = dict(sampler.figures(tuning)) if isinstance(sampler, Monitored) else {}
    children = sampler.children if isinstance(sampler, Composite) else ()
    for i, child in enumerate(children):
        figures.update(sampler_figures(child, tuning.get(str(i), {})))
    return figures
