"""From noise to data along the values of a coordinate: at each one a step of the posterior, then exact moves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError, DivergenceError
from ebmkit.ops.ancestral import ancestral
from ebmkit.ops.rows import normal
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate, Noising
from ebmkit.protocols.energy import Draws, EnergyView
from ebmkit.rng import stream
from ebmkit.samplers.declarations.metropolis import MalaConfig
from ebmkit.samplers.mala import Mala, build_mala
from ebmkit.samplers.metropolis import Evaluated, choose
from ebmkit.sampling.model import Model
from ebmkit.sampling.starts import fresh_chains
from ebmkit.sampling.transitions import Moment, Taken, Watch

N_PILOTS, N_PASSES, LEAST_MOVES = 16, 2, 4
"""Chains that walk down first, how often, and the least moves that they make at a value: they find the steps."""

ACCEPTANCE = 0.6
"""Aimed at: about that of the fastest MALA in many dimensions (.574; Roberts, Rosenthal, 1998)."""


def walked_by(model: Model, given: Collection[str]) -> Coordinate:
    """Returns the coordinate along which chains are annealed.

    Raises:
        CapabilityError: there is none, or more than one, it is held, or x is discrete.
    """
    away = [coordinate for coordinate in model.coordinates if coordinate.leaves_data]
    if not away:
        raise CapabilityError(
            "method = anneal walks from noise to data along a coordinate, and no coordinate of this run takes chains "
            'away from data. Train with a noise level, or leave it at method = "visits".'
        )
    (coordinate, *others), name = away, away[0].name
    if others or coordinate.n_values is None or not isinstance(coordinate, Noising):
        why = (
            f"{' and '.join(c.name for c in away)} take chains away from data, and it walks along one"
            if others
            else f"'{name}' does not say how much noise each of its values holds (n_values and a method `noise`)"
        )
        raise CapabilityError(f'method = anneal: {why}. Sample with method = "visits".')
    if name in given:
        raise CapabilityError(
            f"method = anneal walks along {name}, which is to be held (--given {name}=…): leave one of them out."
        )
    if model.data.x_values != "real":
        raise CapabilityError(f"method = anneal moves real-valued x, but x of these data is {model.data.x_values}.")
    return coordinate


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Annealing:
    """How chains of a model walk from the last value of a coordinate to 0.

    Attributes:
        model: whose chains they are.
        view: of its energy.
        coordinate: along which they walk.
        mala: proposes the exact moves.
        moves: at each value.
        steps: of MALA [n_values], units of x.
    """

    model: Model
    view: EnergyView
    coordinate: Coordinate
    mala: Mala
    moves: int
    steps: Tensor

    def walk(self, start: Point, rng: Generator, watch: Watch | None = None) -> Taken:
        """Moves chains from the last value to 0, at moves + 1 gradients a value.

        Raises:
            DivergenceError: a chain is not finite.
        """
        n, last, rates = len(start), _last(self.coordinate), list[Tensor]()
        chains = self.begun(start, rng)
        for j in range(last, -1, -1):
            if j < last:
                chains = self.stepped(chains, j, rng)
            for _ in range(self.moves):
                chains, rate = self.moved(chains, self.steps[j], rng)
                rates.append(rate)
            _check(chains, self.coordinate.name, j)
            if watch:
                x = self.model.in_data_range(chains.point.without("latent")).cpu()
                watch(Moment(transition=last - j + 1, transitions=last + 1, n_taken=None, x=x))
        return Taken(
            point=chains.point,
            rows=torch.arange(n),
            n_chains=n,
            n_gradients=n * (last + 1) * (self.moves + 1),
            accept_rate=float(torch.stack(rates).mean()) if rates else None,
        )

    def begun(self, start: Point, rng: Generator) -> Evaluated:
        """Returns chains at the last value, evaluated there: draws of its law where the energy knows it."""
        point = self._at(start, _last(self.coordinate))
        energy = self.model.energy
        x = energy.drawn(point, rng) if isinstance(energy, Draws) else None
        return self.mala.target.at(self.view, point if x is None else point.replace(x=x))

    def stepped(self, chains: Evaluated, j: int, rng: Generator) -> Evaluated:
        """Returns chains after the ancestral step to value j, evaluated there."""
        before = self._at(chains.point, j)
        assert isinstance(self.coordinate, Noising)
        noise, now = self.coordinate.noise(before), self.coordinate.noise(chains.point)
        x = ancestral(chains.point.x, -chains.gradient, now, noise, normal(chains.point.x, rng))
        return self.mala.target.at(self.view, before.replace(x=x))

    def moved(self, chains: Evaluated, step_size: Tensor, rng: Generator) -> tuple[Evaluated, Tensor]:
        """Returns chains after one adjusted Langevin move, and the share of them [] that made it."""
        noise = normal(chains.point.x, rng)
        chance = torch.rand(chains.energy.shape, generator=rng, device=noise.device, dtype=chains.energy.dtype)
        proposal, log_ratio = self.mala.propose(self.view, chains, noise, step_size.to(noise))
        accepted = self.mala.target.allows(proposal) & (torch.log1p(-chance) <= log_ratio)
        return choose(accepted, proposal, chains), accepted.float().mean()

    def learnt(self, start: Point, rng: Generator) -> Annealing:
        """Returns it with steps that pilot chains have found: each move drives the acceptance to `ACCEPTANCE`.

        The first steps of a value are those of the value above it, in proportion to the noise that both hold.
        """
        last, scales = _last(self.coordinate), _scales(self.coordinate, start)
        log_steps = self.steps.log()
        for turn in range(N_PASSES):
            chains = self.begun(start, rng)
            for j in range(last, -1, -1):
                if j < last:
                    chains = self.stepped(chains, j, rng)
                    if turn == 0:
                        log_steps[j] = log_steps[j + 1] + (scales[j] / scales[j + 1]).log()
                for _ in range(max(self.moves, LEAST_MOVES)):
                    chains, rate = self.moved(chains, log_steps[j].exp(), rng)
                    log_steps[j] += rate - ACCEPTANCE
                _check(chains, self.coordinate.name, j)
        return replace(self, steps=log_steps.exp())

    def _at(self, point: Point, value: int) -> Point:
        where = torch.full((len(point),), value, dtype=torch.int64, device=point.x.device)
        return point.with_aux(**{self.coordinate.name: where})


def annealing(model: Model, view: EnergyView, given: Mapping[str, Tensor], moves: int, seed: int) -> Annealing:
    """Returns how chains of a model are annealed; the steps are a function of the seed.

    Args:
        model: whose chains they are.
        view: of its energy.
        given: coordinate → what chains hold.
        moves: at each value.
        seed: of the pilot chains.

    Raises:
        CapabilityError: as `walked_by`, or a value of the coordinate holds no more noise than the one below it.
        DivergenceError: a pilot chain is not finite.
    """
    coordinate = walked_by(model, given)
    start = fresh_chains(model, N_PILOTS, stream(seed, 0, "annealing pilots", model.device), given)
    scales = _scales(coordinate, start)
    mala = build_mala(MalaConfig(step_size_per="", adapt="off"), model.context())
    first = scales * start.x[0].numel() ** (-1 / 6)  # as the best step of MALA goes with the dimension
    made = Annealing(model=model, view=view, coordinate=coordinate, mala=mala, moves=moves, steps=first)
    return made.learnt(start, stream(seed, 0, "annealing steps", model.device)) if moves else made


def _last(coordinate: Coordinate) -> int:
    assert coordinate.n_values is not None
    return coordinate.n_values - 1


def _scales(coordinate: Coordinate, point: Point) -> Tensor:
    """Returns σ_j [n_values] of the noise, that of the next value where a value holds none; looks whether they rise."""
    assert isinstance(coordinate, Noising)
    n = _last(coordinate) + 1
    rows = point.map(lambda tensor: tensor[torch.zeros(n, dtype=torch.int64, device=tensor.device)])
    kept, sds = coordinate.noise(rows.with_aux(**{coordinate.name: torch.arange(n, device=point.x.device)}))
    added = sds[1:] ** 2 - (kept[1:] / kept[:-1] * sds[:-1]) ** 2
    if not bool((added > 0).all()):
        j = int((added <= 0).nonzero()[0]) + 1
        raise CapabilityError(
            f"method = anneal: {coordinate.name} {j} holds no more noise than {coordinate.name} {j - 1}, so there is "
            "no step from one to the other. Order its values from clean data to noise."
        )
    return torch.where(sds > 0, sds, torch.cat([sds[1:], sds[-1:]]))


def _check(chains: Evaluated, name: str, j: int) -> None:
    bad = ~(chains.point.x.isfinite().flatten(1).all(dim=1) & chains.energy.isfinite())
    if bool(bad.any()):
        raise DivergenceError(
            f"{int(bad.sum())} of {len(bad)} chains are not finite at {name} {j} of the annealing: the energy has no "
            "finite value, or no finite gradient, where the step from the value above leads. Train for longer, or with "
            "more values of the coordinate."
        )
