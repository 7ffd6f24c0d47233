"""What is wrong with chains, a sampler or an energy, found before the first move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.assembly.checks import parts_with
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy, EnergyView
from ebmkit.protocols.sampler import Bounded, Sampler, SamplerState
from ebmkit.samplers.step_size import tuned_step_sizes


def check_start(point: Point) -> None:
    """Raises RecipeError where there are no chains, or one is not finite."""
    if len(point) == 0:
        raise RecipeError("sample needs at least one chain; start has none.")
    for name, values in {"x": point.x, **point.aux}.items():
        wrong = ~torch.isfinite(values).reshape(len(point), -1).all(dim=1)
        if bool(wrong.any()):
            raise RecipeError(f"start holds values of {name} that are not finite, in {_chains(wrong)}.")


def check_sampler(sampler: Sampler, state: SamplerState) -> None:
    """Refuses a sampler that cannot move the chains it was given.

    Raises:
        RecipeError: a step size is not positive and finite, or chains start beyond the bounds of x.
        CapabilityError: the chains lack a coordinate that it moves.
    """
    for part, handed in parts_with(sampler, frozenset(state.point.aux)):
        missing = sorted(part.traits.coordinates - handed)
        if missing:
            have = ", ".join(state.point.aux) or "no coordinate"
            raise CapabilityError(
                f"{type(part).__name__} needs {', '.join(map(repr, missing))}, but the chains have: {have}. "
                "Start from a Point with aux={name: [B, ...]}."
            )
        _check_bounds(part, state.point)
    for values in tuned_step_sizes(state.tuning):
        if not bool((torch.isfinite(values) & (values > 0)).all()):
            raise RecipeError(f"Step sizes must be positive and finite, found {values.tolist()}.")


def _check_bounds(part: Sampler, point: Point) -> None:
    bounds = part.bounds if isinstance(part, Bounded) else None
    if bounds is None:
        return
    wrong = ((point.x < bounds[0]) | (point.x > bounds[1])).flatten(1).any(dim=1)
    if bool(wrong.any()):
        raise RecipeError(f"{_chains(wrong)} start outside [{bounds[0]:g}, {bounds[1]:g}], where x may not be.")


def check_energy(energy: Energy | EnergyView, seen: EnergyView, point: Point) -> Tensor:
    """Returns the energies [B] of the chains, nats, of an energy that can be sampled; costs two passes.

    Raises:
        RecipeError: one of them is not finite.
        CapabilityError: they are no tensor [B], or a row's energy depends on the other rows.
    """
    ask: Callable[[Point], Any] = seen.energy if isinstance(energy, (EnergyView, nn.Module)) else energy
    with torch.no_grad():
        value = ask(point)
        if not isinstance(value, Tensor) or value.shape != (len(point),):
            found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise CapabilityError(f"The energy returned {found} for {len(point)} chains; it must be a tensor [B].")
        wrong = ~torch.isfinite(value)
        if bool(wrong.any()):
            raise RecipeError(f"The energy is not finite at the start of {_chains(wrong)}: start them where it is.")
        _check_rows(ask, point, value)
    return value if value.dtype == torch.float64 else value.float()


def _check_rows(ask: Callable[[Point], Tensor], point: Point, value: Tensor) -> None:
    """Moves the second half of the chains and sees whether the energies of the first half stay.

    The batch keeps its size, so that the same kernels run and a difference is no rounding. An energy that mixes rows
    without changing for these points passes: it is one look, not a proof.
    """
    n_still = (len(point) + 1) // 2
    if n_still == len(point):
        return
    x = torch.cat([point.x[:n_still], _elsewhere(point.x[n_still:], point.x[0])])
    again = ask(point.replace(x=x))
    changed = _differ(again, value)[:n_still]
    if not bool(changed.any()):
        return
    if bool(_differ(ask(point), value).any()):
        raise CapabilityError("The energy is random: it gave two values for the same chains. Put it in eval mode.")
    b = int(changed.int().argmax())
    raise CapabilityError(
        f"The energy mixes rows: that of chain {b} went from {value[b]:.6g} to {again[b]:.6g} when other chains moved. "
        "Compute each row from itself alone (no batch statistics, no sum or mean over chains)."
    )


def _differ(first: Tensor, second: Tensor) -> Tensor:
    return ~torch.isclose(first, second, rtol=1e-5, atol=1e-5)


def _elsewhere(rows: Tensor, row: Tensor) -> Tensor:
    """Returns rows that differ from these: copies of another row, which are within any bounds, if that will do."""
    copies = row.expand_as(rows)
    if not torch.equal(copies, rows):
        return copies
    if rows.is_floating_point():
        return torch.where(rows == 0, 0.1, 0.9 * rows)  # within [0, 1] if they are, and no index beyond theirs
    return rows.reshape(len(rows), -1).roll(1, dims=1).view_as(rows)


def _chains(wrong: Tensor) -> str:
    return f"{int(wrong.sum()):,} of {len(wrong):,} chains"
