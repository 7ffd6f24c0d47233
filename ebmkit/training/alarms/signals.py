"""The signals of one step that the alarms look at. Reading them draws nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ebmkit.protocols.buffer import Buffer
from ebmkit.protocols.sampler import Composite, Sampler
from ebmkit.training.step import StepReport

ValueRange = tuple[float, float] | None

END = 1 / 256
"""Share of the value range that counts as its end: the lowest and the highest of the 256 levels of a pixel."""

SCALARS = ("gap", "energy_positive", "energy_negative")


@torch.no_grad()
def step_signals(report: StepReport, *, proposes: bool, value_range: ValueRange) -> dict[str, float]:
    """Returns the signals of a step by name, with one host synchronisation; what a run does not have is absent.

    Args:
        report: of the step.
        proposes: whether the sampler accepts or rejects.
        value_range: of x in both phases, data units; None where it is unbounded.
    """
    found = {**scalar_signals(report.losses, report.metrics), **_phase_signals(report)}
    if "chain_displacement" in report.metrics:
        found["chain_displacement"] = report.metrics["chain_displacement"]
    if proposes and "chain_accept_rate" in report.metrics:
        found["chain_accept_rate"] = report.metrics["chain_accept_rate"]
    if value_range is not None and report.phases.batch.x.is_floating_point():
        found |= _range_signals(report, *value_range)
    return read(found)


def scalar_signals(losses: Mapping[str, Tensor], metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the signals that every step has computed anyway: energies, losses, gradient norms."""
    found = {name: value for name, value in metrics.items() if name in SCALARS or name.startswith("gradient_norm.")}
    found["loss"] = torch.stack([loss.detach().abs().double() for loss in losses.values()]).max()
    return found


def read(found: Mapping[str, Tensor]) -> dict[str, float]:
    """Returns named scalars as numbers, with one host synchronisation."""
    values: list[float] = torch.stack([value.double() for value in found.values()]).tolist()
    return dict(zip(found, values, strict=True))


def proposes(sampler: Sampler) -> bool:
    """Whether a sampler, or a part of it, moves x by proposals that may be rejected."""
    parts = sampler.children if isinstance(sampler, Composite) else ()
    return any(map(proposes, parts)) if parts else sampler.traits.adjusted and sampler.traits.moves_x


def fingerprint(buffer: Buffer) -> tuple[float, ...]:
    """Returns the sum of each tensor of rows that a buffer holds: another one where a row is another; () of no rows."""
    rows = [tensor for tensor in buffer.state_dict().values() if tensor.ndim > 1]
    return tuple(float(tensor.sum(dtype=torch.float64)) for tensor in rows)


def _phase_signals(report: StepReport) -> dict[str, Tensor]:
    found, phases = {}, report.phases
    energy = phases.evaluated("positive")
    if energy is not None and len(energy) > 1:
        found["spread_positive"] = energy.double().std()
    if phases.negative is None or not phases.negative.x.is_floating_point() or len(phases.positive) < 2:
        return found
    data, chains = phases.positive.x.flatten(1).double(), phases.negative.x.flatten(1).double()
    centre = data.mean(dim=0)
    return {
        **found,
        "data_sd": _root_mean_square(data - centre),
        "data_size": _root_mean_square(data),
        "chain_sd": _root_mean_square(chains - chains.mean(dim=0)),
        "chain_distance": _root_mean_square(chains - centre),
    }


def _range_signals(report: StepReport, low: float, high: float) -> dict[str, Tensor]:
    room, phases = (high - low) * END, report.phases
    x = phases.batch.x
    found = {"outside": ((x < low - room) | (x > high + room)).double().mean()}
    if phases.negative is not None:
        found["saturated_data"] = _at_ends(phases.positive.x, low + room, high - room)
        found["saturated"] = _at_ends(phases.negative.x, low + room, high - room)
    return found


def _at_ends(x: Tensor, low: float, high: float) -> Tensor:
    return ((x <= low) | (x >= high)).double().mean()


def _root_mean_square(x: Tensor) -> Tensor:
    return x.square().mean().sqrt()
