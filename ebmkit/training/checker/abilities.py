"""Whether an energy answers the abilities that it declares, with the shapes that they promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ebmkit.errors import EbmkitError, PluginError
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.energy import Energy, abilities_of, level_coordinate_of, values_of
from ebmkit.training.checker.snapshots import alike

UNIT = 1e-2
"""How far the norm of a latent may be from 1."""
REFUSALS = (EbmkitError, AttributeError, KeyError, TypeError, NotImplementedError)


@torch.no_grad()
def check_abilities(label: str, energy: Energy, point: Point, coordinates: Sequence[Coordinate]) -> None:
    """Raises PluginError where a declared ability is not answered, or has another shape or value than it must have.

    Args:
        label: what messages call the energy.
        energy: its abilities about coordinates that the run does not have are left alone.
        point: b rows with all coordinates of the run.
        coordinates: of the run.
    """
    n_values = {c.name: c.n_values for c in coordinates}
    asked = [
        a for a in sorted(abilities_of(energy)) if not level_coordinate_of(a) or level_coordinate_of(a) in n_values
    ]
    energies = energy(point)
    for ability in asked:
        value = _answer(label, energy, point, ability)
        _check_shape(label, ability, value, point, n_values)
        if ability == "energy" and not alike(value, energies, 1e-3):
            raise PluginError(f"{label}: evaluate(…, 'energy') differs from calling it. Let one use the other.")
        _check_levels(label, ability, value, point, energies)
    together = values_of(energy, point, *asked)
    if set(asked) - set(together):
        missing = ", ".join(sorted(set(asked) - set(together)))
        raise PluginError(
            f"{label}: asked for {', '.join(asked)} at once, evaluate left out {missing}. Return them all."
        )


def _answer(label: str, energy: Energy, point: Point, ability: str) -> Tensor:
    try:
        value: object = values_of(energy, point, ability)[ability]
    except REFUSALS as error:
        raise PluginError(
            f"{label} declares the ability '{ability}' and does not answer it: {type(error).__name__}: {error}. Answer "
            "it in evaluate, or leave it out of `abilities`."
        ) from error
    if not isinstance(value, Tensor):
        raise PluginError(f"{label} answered '{ability}' with {type(value).__name__}. It must be a tensor.")
    return value


def _check_shape(label: str, ability: str, value: Tensor, point: Point, n_values: Mapping[str, int | None]) -> None:
    n, name = len(point), level_coordinate_of(ability)
    shapes = {"energy": "[B]", "features": "[B, F]", "latent": "[B, D]"}
    promised = "[B, L]" if name else shapes.get(ability, "[B, …]")
    n_axes = promised.count(",") + 1
    wrong = value.ndim == 0 or len(value) != n or (promised != "[B, …]" and value.ndim != n_axes)
    if name and not wrong and n_values[name] is not None and value.shape[1] != n_values[name]:
        promised, wrong = f"[B, {n_values[name]}], one for each value of '{name}',", True
    if wrong:
        raise PluginError(
            f"{label} answered '{ability}' with shape {tuple(value.shape)} for {n} rows. It promises {promised}."
        )
    if ability == "latent" and bool(((value.float().norm(dim=1) - 1).abs() > UNIT).any()):
        raise PluginError(f"{label} answered 'latent' with vectors that are not of unit norm. Normalise them.")


def _check_levels(label: str, ability: str, value: Tensor, point: Point, energies: Tensor) -> None:
    """Compares the energies of all values of a coordinate, at the point's own value, with the point's energy."""
    name = level_coordinate_of(ability)
    if not name or name not in point.aux:
        return
    own = value.gather(1, point.aux[name].long().view(-1, 1))[:, 0]
    if not alike(own, energies, 1e-2):
        raise PluginError(
            f"{label} answered '{ability}' with energies that are not its own: at the value that a row has, it gave "
            f"{float(own[0]):.4g} where the energy is {float(energies[0]):.4g}. Both must be one energy."
        )
