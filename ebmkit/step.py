"""One training step: `run_phases`, the only place where chains move, and `train_step`, which everybody reads first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrize

from ebmkit.errors import DivergenceError
from ebmkit.phases import Phases, stream
from ebmkit.point import Batch, Point
from ebmkit.protocols import Coordinate, Dataset, Needs, Objective, Sampler, SamplerInfo, Tail, Tuning
from ebmkit.view import CallableView, FrozenView, iterate_parametrisations


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything a training step is made of, built."""

    dataset: Dataset
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
    def needs(self) -> Needs:
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


def train_step(parts: Parts, batch: Batch, step: int, tuning: Tuning, update: Callable[[Mapping[str, Tensor]], None]) -> StepReport:  # fmt: skip
    """Makes one training step.

    Args:
        parts: built parts.
        batch: clean data.
        step: its number, from 1; with the seed it fixes every random draw.
        tuning: of the sampler.
        update: takes the losses, goes backward and moves the parameters.

    Raises:
        DivergenceError: a chain or a loss is not finite; nothing has been updated.
    """
    with parametrize.cached():
        iterate_parametrisations(parts.energy)
        parts.view.refresh()
        phases, info, tuning = run_phases(parts, batch, step, tuning)
        before = _versions(phases)
        with torch.autocast(parts.device.type, torch.bfloat16, enabled=parts.autocast):
            losses = {
                f"{name}.{key}": loss
                for name, objective in parts.objectives.items()
                for key, loss in objective.losses(parts.energy, phases).items()
            }
        _check(losses, phases, step)
        if _versions(phases) != before:
            raise RuntimeError("An objective changed a phase in place: objectives never move chains.")
        metrics = chain_metrics(phases, info)
        update(losses)
    return StepReport(step=step, losses=_detached(losses), metrics=metrics, phases=phases, tuning=tuning)


def run_phases(parts: Parts, batch: Batch, step: int, tuning: Tuning) -> tuple[Phases, SamplerInfo | None, Tuning]:
    """Lifts the batch, draws, moves and returns the chains; returns the phases, diagnostics and the sampler's tuning."""
    rng = partial(stream, parts.seed, step, device=parts.device)
    positive = lift(parts.coordinates, batch, rng("lift"))
    needs, negative, tail, reference, info = parts.needs, None, None, None, None
    if needs.negatives:
        match = frozenset(positive.aux) - parts.sampler.moves_coordinates
        token, start = parts.buffer.draw(positive, rng("draw"), match)
        kept = Tail(moves=needs.tail_moves, rows=min(needs.tail_rows, len(start)) or None) if needs.tail_moves else None
        state = parts.sampler.init(start, rng("chains"), tuning)
        state, info = parts.sampler.step(parts.view, state, tail=kept)
        negative, tuning = state.point.map(torch.detach), state.tuning
        tail = state.point.map(lambda t: t[: kept.rows]) if kept else None
        if needs.reference:
            reference = parts.buffer.reference(needs.reference, rng("reference"), exclude=token)
        parts.buffer.put(token, negative)
    phases = Phases(
        energy=parts.energy, batch=batch, positive=positive, negative=negative, tail=tail, reference=reference,
        abilities=needs.abilities, rng=rng, held=partial(_held, parts.energy),
    )  # fmt: skip
    return phases, info, tuning


def lift(coordinates: tuple[Coordinate, ...], batch: Batch, rng: Generator) -> Point:
    """Returns the positive: the batch with every coordinate lifted, in order; row b comes from row b."""
    point = Point(x=batch.x)
    for coordinate in coordinates:
        point = coordinate.lift(batch, point, rng)
    return point


def chain_metrics(phases: Phases, info: SamplerInfo | None) -> dict[str, Tensor]:
    """Returns what tells how a step went: energies of both phases, how far chains moved, acceptance."""
    with torch.no_grad():
        positive = phases.evaluate("positive").detach()
        metrics = {"energy_positive": positive.mean()}
        if phases.negative is None or info is None:
            return metrics
        negative = phases.evaluate("negative").detach()
        moved = (phases.negative.x - info.start.x).flatten(1).square().mean(dim=1).sqrt().mean()
        return {
            **metrics,
            "energy_negative": negative.mean(),
            "gap": positive.mean() - negative.mean(),
            "chain_displacement": moved,
            "chain_accept_rate": info.accept_rate.mean(),
            "chain_x_mean": phases.negative.x.mean(),
            "chain_x_sd": phases.negative.x.std(),
        }


def _held(energy: Any, point: Point) -> Tensor:
    """Returns the energy with its parameters held constant, so that only the path through the point has a gradient."""
    if not isinstance(energy, nn.Module):
        value: Tensor = energy(point)
        return value
    constant = {name: p.detach() for name, p in energy.named_parameters()}
    result: Tensor = functional_call(energy, constant, (point,))
    return result


def _check(losses: Mapping[str, Tensor], phases: Phases, step: int) -> None:
    """Looks once, with one host synchronisation, whether everything is finite."""
    for name, loss in losses.items():
        if loss.ndim:
            raise TypeError(f"Loss '{name}' has shape {tuple(loss.shape)}; an objective returns named scalars.")
    values = torch.stack([loss.detach().float() for loss in losses.values()])
    chains = torch.isfinite(phases.negative.x).all() if phases.negative is not None else values.new_ones(()).bool()
    if bool(torch.isfinite(values).all() & chains):
        return
    found = ", ".join(f"{name} = {float(loss):g}" for name, loss in losses.items())
    what = "a loss is not finite" if bool(chains) else "a chain is not finite after the sampler's moves"
    raise DivergenceError(
        f"Step {step}: {what} ({found}). Nothing was updated. "
        "Try a smaller sampler step or learning rate, spectral norm, or a gradient clip."
    )


def _versions(phases: Phases) -> list[int]:
    points = [p for p in (phases.positive, phases.negative, phases.reference) if p is not None]
    return [tensor._version for p in points for tensor in (p.x, *p.aux.values())] + [phases.batch.x._version]


def _detached(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in values.items()}
