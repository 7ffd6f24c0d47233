"""One training step: `run_phases`, the only place where chains move, and `train_step`, which everybody reads first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from ebmkit.errors import DivergenceError, PluginError
from ebmkit.point import Batch, Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.objective import Objective, Phases, Requires
from ebmkit.protocols.sampler import Sampler, SamplerInfo, Tail, Tuning
from ebmkit.rng import stream
from ebmkit.samplers.adaptation import adapted
from ebmkit.samplers.nonfinite import explain, finite_rows
from ebmkit.training.monitor import chain_metrics, is_filled, rows_filled, sampler_metrics
from ebmkit.views.frozen import iterate_parametrisations
from ebmkit.views.view import CallableView, FrozenView

Update = Callable[[Mapping[str, Tensor]], None]
_ADVICE = "Nothing was updated. Try a smaller sampler step or learning rate, spectral norm, or a gradient clip."


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything a training step is made of, built."""

    coordinates: tuple[Coordinate, ...]
    energy: Any
    sampler: Sampler
    buffer: Any
    objectives: Mapping[str, Objective]
    view: FrozenView | CallableView
    device: torch.device
    seed: int = 0
    autocast: bool = False

    @property
    def requires(self) -> Requires:
        """What the objectives ask of the phases, together."""
        return reduce(lambda a, b: a | b, (o.requires for o in self.objectives.values()))

    def owners(self) -> dict[str, nn.Module]:
        """The modules that own parameters: the energy (its wrappers included) and objectives that are modules."""
        modules = {"energy": self.energy, **self.objectives}
        return {k: m for k, m in modules.items() if isinstance(m, nn.Module) and any(True for _ in m.parameters())}


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What one training step did. Losses and metrics are tensors on the device until somebody reads them."""

    step: int
    losses: Mapping[str, Tensor]
    metrics: Mapping[str, Tensor]
    phases: Phases
    tuning: Tuning


def train_step(parts: Parts, batch: Batch, step: int, tuning: Tuning, update: Update) -> StepReport:
    """Makes one training step.

    Args:
        parts: built parts.
        batch: clean data.
        step: its number, from 1; with the seed it fixes every random draw.
        tuning: of the sampler.
        update: takes the losses, goes backward and moves the parameters.

    Raises:
        DivergenceError: a chain or a loss is not finite; no parameter has changed, and no such chain was stored.
        PluginError: an objective changed a phase in place, or returned a loss that is not a scalar.
    """
    with parametrize.cached():
        if isinstance(parts.energy, nn.Module):
            iterate_parametrisations(parts.energy)
        parts.view.refresh()
        phases, info, tuning = run_phases(parts, batch, step, tuning)
        with torch.autocast(parts.device.type, torch.bfloat16, enabled=parts.autocast):
            losses = score(parts, phases)
        _check_losses(losses, step)
        metrics = {**chain_metrics(phases, info), **sampler_metrics(parts.sampler, info, tuning)}
        if parts.requires.reference:
            metrics["buffer_filled"] = torch.tensor(float(rows_filled(parts.buffer)), device=parts.device)
        update(losses)
    return StepReport(step=step, losses=_detached(losses), metrics=metrics, phases=phases, tuning=tuning)


def run_phases(parts: Parts, batch: Batch, step: int, tuning: Tuning) -> tuple[Phases, SamplerInfo | None, Tuning]:
    """Lifts the batch; draws, moves and writes back the chains.

    Returns:
        The phases, the sampler's diagnostics (None where no objective needs negatives) and its tuning.

    Raises:
        DivergenceError: a chain is not finite; the buffer is as before.
    """
    rng = partial(stream, parts.seed, step, device=parts.device)
    positive = lift(parts.coordinates, batch, rng("lift"))
    needs, negative, tail, reference, info, constant = parts.requires, None, None, None, None, None
    if needs.negatives:
        match = frozenset(positive.aux) - parts.sampler.traits.coordinates
        token, start = parts.buffer.draw(positive, rng("draw"), match)
        kept = Tail(moves=needs.tail_moves, rows=min(needs.tail_rows, len(start)) or None) if needs.tail_moves else None
        state, info = parts.sampler.step(parts.view, parts.sampler.init(start, rng("chains"), tuning), tail=kept)
        negative = state.point.map(torch.detach)
        if not bool(finite_rows(negative).all()):  # one host synchronisation, before anything is stored
            why = explain(parts.sampler, parts.view, parts.sampler.init(start, rng("chains"), tuning), info)
            raise DivergenceError(f"Step {step}: a chain is not finite; {why} {_ADVICE}")
        tuning = adapted(parts.sampler, state.tuning, info)
        if kept:
            tail, constant = state.point.map(lambda t: t[: kept.rows]), parts.view.constant
        if needs.reference and is_filled(parts.buffer, needs.reference_fill):
            reference = parts.buffer.reference(needs.reference, rng("reference"), exclude=token)
        parts.buffer.put(token, negative)
    phases = Phases(
        energy=parts.energy, batch=batch, positive=positive, negative=negative, tail=tail, reference=reference,
        abilities=needs.abilities, rng=rng, constant=constant,
    )  # fmt: skip
    return phases, info, tuning


def lift(coordinates: tuple[Coordinate, ...], batch: Batch, rng: Generator) -> Point:
    """Returns the positive: the batch with every coordinate lifted, in order; row b comes from row b."""
    point = Point(x=batch.x)
    for coordinate in coordinates:
        point = coordinate.lift(batch, point, rng)
    return point


def score(parts: Parts, phases: Phases) -> dict[str, Tensor]:
    """Returns every objective's losses as "OBJECTIVE.LOSS"; raises PluginError where one breaks its promise."""
    losses: dict[str, Tensor] = {}
    before = _versions(phases)
    for name, objective in parts.objectives.items():
        for key, loss in objective.losses(parts.energy, phases).items():
            if loss.ndim:
                raise PluginError(f"Loss '{name}.{key}' has shape {tuple(loss.shape)}: objectives return scalars.")
            losses[f"{name}.{key}"] = loss
        if _versions(phases) != before:
            raise PluginError(f"Objective '{name}' changed a phase in place: objectives never move chains.")
    return losses


def _check_losses(losses: Mapping[str, Tensor], step: int) -> None:
    """Looks, with one host synchronisation, whether the losses are finite."""
    if not losses:
        raise PluginError("No objective returned a loss: there is nothing to minimise.")
    if not bool(torch.isfinite(torch.stack([loss.detach().float() for loss in losses.values()])).all()):
        found = ", ".join(f"{name} = {float(loss.detach()):g}" for name, loss in losses.items())
        raise DivergenceError(f"Step {step}: a loss is not finite ({found}). {_ADVICE}")


def _versions(phases: Phases) -> list[int]:
    points = [p for p in (phases.positive, phases.negative, phases.tail, phases.reference) if p is not None]
    labels = [] if phases.batch.y is None else [phases.batch.y]
    tensors = [phases.batch.x, *labels, *(t for p in points for t in (p.x, *p.aux.values()))]
    return [tensor._version for tensor in tensors]


def _detached(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in values.items()}
