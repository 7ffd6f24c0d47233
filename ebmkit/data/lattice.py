"""Small lattices of spins as a data set of discrete x: every state is listed, so draws and densities are exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from einops import rearrange
from torch import Generator, Tensor

from ebmkit.data.arrays import known_split
from ebmkit.data.declarations import ToyDiscreteConfig
from ebmkit.ops.discrete import decoded
from ebmkit.plugins.component import Selection
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch
from ebmkit.protocols.dataset import XValues


def ising_energy(x: Tensor, coupling: float, field: float) -> Tensor:
    """Returns E [B] = −J Σ sᵢsⱼ − h Σ sᵢ, nats, over neighbours on a torus, with spins s = 2x − 1.

    Args:
        x: [B, 1, side, side] of 0 and 1.
        coupling: J, nats.
        field: h, nats.
    """
    s = 2 * x - 1
    bonds = s * (s.roll(1, dims=-1) + s.roll(1, dims=-2))
    return -(coupling * bonds + field * s).flatten(1).sum(dim=1)


def potts_energy(x: Tensor, coupling: float, field: float) -> Tensor:
    """Returns E [B] = −J Σ [sᵢ = sⱼ] − h Σ [sᵢ = 0], nats, over neighbours on a torus.

    Args:
        x: [B, side², K], one-hot along the last axis.
        coupling: J, nats.
        field: h, nats.
    """
    side = round(x.shape[1] ** 0.5)
    sites = rearrange(x, "b (row column) k -> b row column k", row=side)
    alike = sites * (sites.roll(1, dims=1) + sites.roll(1, dims=2))
    return -coupling * alike.flatten(1).sum(dim=1) - field * sites[..., 0].flatten(1).sum(dim=1)


def listed(n_values: int, n_sites: int) -> Tensor:
    """Returns every state of n sites as indices [K^n, n], the last site changing fastest."""
    number = torch.arange(n_values**n_sites)
    powers = n_values ** torch.arange(n_sites - 1, -1, -1)
    return number[:, None] // powers % n_values


@dataclass(kw_only=True, slots=True, eq=False)
class LatticeData:
    """A `Dataset` of endless exact draws; rows are only counted.

    Attributes:
        n: virtual length.
        states: all of them [S, *event].
        log_probability: of each [S] float64, nats.
        energy: x → [B] nats, up to a constant.
        device: where batches lie.
        x_values: "binary" or "one-hot".
        event_shape: (1, side, side) of bits, or (side², K) of one-hot sites.
        value_range: (0, 1).
        n_classes: none.
        class_names: none.
    """

    n: int
    states: Tensor
    energy: Callable[[Tensor], Tensor]
    device: torch.device | str
    x_values: XValues
    log_probability: Tensor = field(init=False)
    event_shape: tuple[int, ...] = field(init=False)
    value_range: tuple[float, float] | None = (0.0, 1.0)
    n_classes: int = 0
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.event_shape = tuple(self.states.shape[1:])
        self.log_probability = torch.log_softmax(-self.energy(self.states.double()), dim=0)

    def __len__(self) -> int:
        return self.n

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns as many fresh draws as there are rows."""
        share = self.log_probability.exp().cumsum(dim=0).to(rng.device)
        uniform = torch.rand(len(rows), generator=rng, device=rng.device, dtype=torch.float64)
        place = torch.searchsorted(share, uniform).clamp(max=len(share) - 1)
        return Batch(x=self.states[place.to(self.states.device)].to(self.device))

    def split(self, name: str) -> LatticeData:
        """Returns this set under either name: every draw is unseen."""
        known_split(name)
        return self

    def log_density(self, x: Tensor) -> Tensor:
        """Returns log p [B], nats, at x [B, *event]."""
        constant = self.log_probability[0] + self.energy(self.states[:1].double())[0]
        return constant.to(x) - self.energy(x)


def build_lattice(config: ToyDiscreteConfig, context: BuildContext) -> LatticeData:
    """Returns the set of a lattice."""
    config = config.settled(Selection())
    assert config.side is not None and config.coupling is not None
    side, coupling, strength = config.side, config.coupling, config.field
    values: XValues = "binary" if config.law == "ising" else "one-hot"
    n_values = 2 if config.law == "ising" else 3
    states = decoded(listed(n_values, side * side), values, None, n_values, torch.float32)
    if config.law == "ising":
        states = rearrange(states, "s (row column) -> s 1 row column", row=side)
    energy = ising_energy if config.law == "ising" else potts_energy
    return LatticeData(
        n=config.n,
        states=states,
        energy=lambda x: energy(x, coupling, strength),
        device=context.device,
        x_values=values,
    )
