"""One training step: lift the data, move the chains, score both phases, update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from ebmkit.errors import DivergenceError, PluginError
from ebmkit.point import Batch, Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.objective import Phases
from ebmkit.protocols.sampler import SamplerInfo, Tuning
from ebmkit.rng import stream
from ebmkit.training.alarms.table import advice
from ebmkit.training.batches import batch_of, check_finite
from ebmkit.training.chains import Chains, first_tuning, move_chains
from ebmkit.training.monitor import step_metrics
from ebmkit.training.parts import Parts
from ebmkit.views.frozen import iterate_parametrisations

Update = Callable[[Mapping[str, Tensor]], None]


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What one training step did. Losses and metrics are tensors on the device until somebody reads them.

    Attributes:
        step: its number.
        losses: scalars, "OBJECTIVE.LOSS"; with their graph where the caller is to go backward.
        metrics: scalars.
        phases: what was scored.
        tuning: of the sampler, after the step.
    """

    step: int
    losses: Mapping[str, Tensor]
    metrics: Mapping[str, Tensor]
    phases: Phases
    tuning: Tuning

    @property
    def loss(self) -> Tensor:
        """The sum of the losses, a scalar: what a loop of one's own goes backward through."""
        return torch.stack(list(self.losses.values())).sum()


def train_step(
    parts: Parts,
    batch: Batch | Tensor | Sequence[Tensor],
    step: int,
    tuning: Tuning | None = None,
    update: Update | None = None,
) -> StepReport:
    """Makes one training step: lifts the data, moves the chains, scores both phases.

    In a loop of one's own, leave `update` out, go backward through `report.loss`, and step an optimiser of one's own
    over `parts.parameters()`. The view that chains see is refreshed here, at each step.

    Args:
        parts: built parts, as `ebmkit.parts` makes them.
        batch: clean data: x [B, *event], (x, y), or a `Batch`; it is moved to the device of the parts.
        step: its number, from 1; with the seed it fixes every random draw.
        tuning: of the sampler, `report.tuning` of the step before; None at the first.
        update: takes the losses, goes backward and moves the parameters.

    Raises:
        DataError: the batch is no data, or of another shape than the chains.
        DivergenceError: the data, a chain or a loss are not finite; no parameter has changed, and no such chain was
            stored.
        PluginError: an objective changed a phase in place, or returned a loss that is not a scalar.
    """
    batch = batch_of(batch, parts.device)
    tuning = first_tuning(parts) if tuning is None else tuning
    if parts.checker is not None:
        parts.checker(parts, batch, step, tuning)
    with parametrize.cached(), parts.whole_weights():
        if isinstance(parts.energy, nn.Module):
            iterate_parametrisations(parts.energy)
        parts.refresh_view()
        phases, info, tuning = run_phases(parts, batch, step, tuning)
        with torch.autocast(parts.device.type, torch.bfloat16, enabled=parts.autocast):
            losses = score(parts, phases)
        _check_losses(losses, step, batch)
        metrics = step_metrics(parts, phases, info, tuning)
        if update is not None:
            update(losses)
            losses = {name: loss.detach() for name, loss in losses.items()}
    return StepReport(step=step, losses=losses, metrics=metrics, phases=phases, tuning=tuning)


def run_phases(parts: Parts, batch: Batch, step: int, tuning: Tuning) -> tuple[Phases, SamplerInfo | None, Tuning]:
    """Lifts the batch; draws, moves and writes back the chains, where an objective needs any.

    Returns:
        The phases, the sampler's diagnostics (None without chains) and its tuning.

    Raises:
        DivergenceError: a chain is not finite; the buffer is as before.
    """
    needs, rng = parts.requires, partial(stream, parts.seed, step, device=parts.device, rank=parts.world.rank)
    positive = lift(parts.coordinates, batch, rng("lift"))
    chains = move_chains(parts, positive, step, tuning, rng) if needs.negatives else Chains(tuning)
    phases = Phases(
        energy=parts.energy,
        batch=batch,
        positive=positive,
        negative=chains.negative,
        tail=chains.tail,
        reference=chains.reference,
        abilities=needs.abilities,
        rng=rng,
        constant=None if chains.tail is None else parts.view.constant,
        world=parts.world,
    )
    return phases, chains.info, chains.tuning


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
        for key, loss in objective.losses(parts.energy, phases.seen_by(name)).items():
            if loss.ndim:
                raise PluginError(f"Loss '{name}.{key}' has shape {tuple(loss.shape)}: objectives return scalars.")
            losses[f"{name}.{key}"] = loss
        if _versions(phases) != before:
            raise PluginError(f"Objective '{name}' changed a phase in place: objectives never move chains.")
    return losses


def _check_losses(losses: Mapping[str, Tensor], step: int, batch: Batch) -> None:
    """Looks, with one host synchronisation, whether the losses are finite; says so where the data are to blame."""
    if not losses:
        raise PluginError("No objective returned a loss: there is nothing to minimise.")
    if not bool(torch.isfinite(torch.stack([loss.detach().float() for loss in losses.values()])).all()):
        check_finite(batch, step)
        found = ", ".join(f"{name} = {float(loss.detach()):g}" for name, loss in losses.items())
        raise DivergenceError(
            f"Step {step}: a loss is not finite ({found}). Nothing was updated. {advice('loss-not-finite')}"
        )


def _versions(phases: Phases) -> list[int]:
    """Returns how often each tensor of the phases was changed in place."""
    points = [p for p in (phases.positive, phases.negative, phases.tail, phases.reference) if p is not None]
    labels = [] if phases.batch.y is None else [phases.batch.y]
    tensors = [phases.batch.x, *labels, *(t for p in points for t in (p.x, *p.aux.values()))]
    return [tensor._version for tensor in tensors]
