"""What holds of every energy, of a built one at some points: for the checks of the kit and for tests of one's own."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import nn

from ebmkit.ops.gradients import energy_and_gradient, leaf
from ebmkit.point import Point
from ebmkit.protocols.energy import abilities_of, level_coordinate_of, values_of
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.law import seeded
from ebmkit.training.checker.energy import check_answer, check_mode, check_repeats, check_rows
from ebmkit.training.checker.snapshots import alike, changed, kept, listed, of_module
from ebmkit.views.view import view

ROWS = "Rows do not see each other: use GroupNorm or LayerNorm, and no mean, sum or sort over the batch."
NUDGE = 1e-5
TOLERANCE = 1e-4


def check_energy(energy: Any, point: Point, label: str = "The energy") -> None:
    """Looks at a built energy, in the mode in which it is, at the rows of a point.

    One finite number a row, the same again, of that row alone, whatever the mode; with the gradient that finite
    differences give; left as it was; and the energy that the frozen view shows.

    Args:
        energy: any energy.
        point: B rows, in float32.
        label: what messages call it.

    Raises:
        EbmkitError: a law is broken.
    """
    check_answer(label, energy, point, True)
    check_repeats(label, energy, point)
    check_alone(label, energy, point)
    check_mode(label, energy, point)
    check_unchanged(energy, point)
    check_gradient(energy, point)
    check_view(energy, point)


def check_alone(label: str, energy: Any, point: Point) -> None:
    """Raises where a row's energy changes with the values, the order or the number of the other rows."""
    n = len(point)
    with torch.no_grad():
        check_rows(label, energy, point)
        whole, order = energy(point), torch.randperm(n, generator=seeded(22))
        if not alike(energy(point.map(lambda t: t[order])), whole[order], TOLERANCE):
            raise CheckFailed(f"the energies of rows in another order are not those energies in that order. {ROWS}")
        for k in {1, n // 2 + 1} - {n}:
            first = point.map(lambda t, k=k: t[:k])  # type: ignore[misc]
            if not alike(energy(first), whole[:k], TOLERANCE):
                raise CheckFailed(f"the first {k} rows have other energies when the others are left out. {ROWS}")


def check_unchanged(energy: Any, point: Point) -> None:
    """Raises CheckFailed where asking changes weights or statistics of an energy."""
    before = kept(of_module(energy))
    energy(point)
    written = changed(before, of_module(energy))
    if written:
        raise CheckFailed(
            f"it changed its own {listed(written)} when it was asked for energies. Leave running statistics out."
        )


def check_gradient(energy: Any, point: Point) -> None:
    """Raises CheckFailed where ∇ₓE is not what finite differences say, in float64."""
    energy = deepcopy(energy).double().eval() if isinstance(energy, nn.Module) else energy
    point = leaf(point.map(lambda t: t.double() if t.is_floating_point() else t))
    if energy(point).shape != (len(point),):
        raise NotApplicable("its answer is not one number a row")
    _, gradient = energy_and_gradient(energy, point, graph=False)
    for seed in range(3):
        along = torch.randn(point.x.shape, generator=seeded(seed), dtype=torch.float64)
        along = along / along.flatten(1).norm(dim=1).view(-1, *[1] * (along.ndim - 1))
        with torch.no_grad():
            ends = [energy(point.replace(x=point.x + sign * NUDGE * along)).double() for sign in (1, -1)]
        found, wanted = (gradient * along).flatten(1).sum(dim=1), (ends[0] - ends[1]) / (2 * NUDGE)
        wrong = (found - wanted).abs() > 1e-3 * (wanted.abs() + wanted.abs().max()) + 1e-7
        if int(wrong.sum()) > len(point) // 8:  # a kink may lie between the two ends of a row
            worst = int((found - wanted).abs().argmax())
            raise CheckFailed(
                f"the gradient along a direction is {float(found[worst]):.5g}, and finite differences in float64 give "
                f"{float(wanted[worst]):.5g}. Look for detach(), no_grad(), float() in the middle, or a backward of "
                "your own."
            )


def check_view(energy: Any, point: Point) -> None:
    """Raises CheckFailed where the view that sampling sees has other values or gradients than the energy."""
    energy = deepcopy(energy).eval() if isinstance(energy, nn.Module) else energy
    seen = view(energy)
    wanted, gradient = energy_and_gradient(energy, leaf(point), graph=False)
    if not alike(seen.energy(point), wanted.detach(), 1e-5):
        raise CheckFailed(
            "the frozen view has other energies than the energy itself. Keep weights in parameters and buffers, and no "
            "tensors in plain attributes or closures."
        )
    if not alike(seen.gradient(point), gradient.detach(), 1e-3):
        raise CheckFailed("the frozen view has another gradient than the energy itself. Keep weights in parameters.")
    for ability in sorted(abilities_of(energy)):
        name = level_coordinate_of(ability)
        if name in point.aux and not alike(
            seen.levels(point, name), values_of(energy, point, ability)[ability].detach(), 1e-4
        ):
            raise CheckFailed(f"the frozen view has other '{ability}' than the energy itself. Let both be one pass.")
