"""Known laws of discrete x: small lattices all of whose states are listed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ebmkit.data.lattice import ising_energy, listed, potts_energy
from ebmkit.ops.discrete import decoded
from ebmkit.point import Point, XValues
from ebmkit.testing.law import Law, Statistic, entry


def _lattice(name: str, states: Tensor, energy: Callable[[Tensor], Tensor], values: XValues) -> Law:
    share = torch.softmax(-energy(states.double()), dim=0)
    statistics: dict[str, Statistic] = {
        "first entry": entry(0),
        "last entry": entry(-1),
        "energy": lambda point: energy(point.x.double()),
        "square of the energy": lambda point: energy(point.x.double()).square(),
        "first two sites alike": lambda point: (point.x[:, 0] * point.x[:, 1]).flatten(1).sum(dim=1),
    }
    return Law(
        name=name,
        energy=lambda point: energy(point.x),
        draw=lambda n, rng: Point(x=states[torch.multinomial(share, n, replacement=True, generator=rng)]),
        draw_hot=lambda point, ratio, rng: states[
            torch.multinomial(share ** (1 / ratio), len(point), replacement=True, generator=rng)
        ],
        statistics={
            key: (value, float((share * value(Point(x=states)).double()).sum())) for key, value in statistics.items()
        },
        event_shape=tuple(states.shape[1:]),
        step=1.0,
        value_range=(0.0, 1.0),
        x_values=values,
    )


ising = _lattice("ising", listed(2, 6).float().view(-1, 2, 3), lambda x: ising_energy(x[:, None], 0.3, 0.2), "binary")
potts = _lattice(
    "potts", decoded(listed(3, 4), "one-hot", None, 3, torch.float32), lambda x: potts_energy(x, 0.6, 0.3), "one-hot"
)
