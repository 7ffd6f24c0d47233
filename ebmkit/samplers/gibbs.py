"""Exact draws of a discrete coordinate given everything else."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.declarations.gibbs import GibbsConfig, coordinate_unclear, gibbs_traits
from ebmkit.samplers.step_size import count_values


def gibbs_draw(energies: Tensor, uniform: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Returns one index in each row with probability softmax(−E/T), and whether the row had any value to draw.

    A value whose energy is not finite has no probability.

    Args:
        energies: E [B, L], nats.
        uniform: [B] in [0, 1); row b takes the value where its share of the summed probabilities lies.
        temperature: T, nats.
    """
    valid = torch.isfinite(energies)
    logits = torch.where(valid, -energies / temperature, -torch.inf)
    possible = valid.any(dim=1)
    logits = torch.where(possible[:, None], logits, 0)
    cumulative = logits.softmax(dim=1).cumsum(dim=1)
    below = cumulative <= uniform[:, None] * cumulative[:, -1:]
    return below.sum(dim=1).clamp(max=energies.shape[1] - 1), possible


def block(current: Tensor, offset: Tensor, window: int) -> Tensor:
    """Returns the values [B, w] of the block that holds the current one, blocks of w being laid from −offset on.

    The offset is drawn without regard to the state, so a draw within the block leaves the law invariant. Some of these
    values may lie below 0 or above the last one.
    """
    start = (current + offset) // window * window - offset
    return start[:, None] + torch.arange(window, device=current.device)


class Gibbs:
    """Draws the coordinate from its conditional law softmax(−E(x, ·)/T); x is not moved and no gradient is spent."""

    def __init__(self, *, config: GibbsConfig, temperature: float, n_values: int | None = None) -> None:
        if config.coordinate is None:
            raise CapabilityError("gibbs needs the name of the coordinate that it draws: set coordinate.")
        if config.window and n_values is None:
            raise CapabilityError("gibbs needs the number of values of its coordinate for a window.")
        self.config, self.temperature, self.n_values = config, temperature, n_values
        self.coordinate, self.traits = config.coordinate, gibbs_traits(config)

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point.

        Raises:
            CapabilityError: the point lacks the coordinate, or it is not an index.
        """
        self._current(point)
        return SamplerState(point=point, rng=rng, tuning=tuning or {})

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state with the coordinate drawn anew; a graph that x carries is passed on.

        Raises:
            CapabilityError: a tail is asked of it: it makes no move of x.
        """
        if tail is not None:
            raise CapabilityError("gibbs moves no x, so it has no graph to keep: put mala or hmc before it.")
        name, current = self.coordinate, self._current(state.point)
        uniform = torch.rand(len(state.point), generator=state.rng, device=current.device)
        point = state.point.map(torch.detach)
        if self.config.window:
            values, energies = self._block(view, point, current.long(), state.rng)
            drawn, possible = gibbs_draw(energies, uniform, self.temperature)
            drawn = values.gather(1, drawn[:, None])[:, 0]
        else:
            drawn, possible = gibbs_draw(view.levels(point, name), uniform, self.temperature)
        drawn = torch.where(possible, drawn.to(current.dtype), current)
        info = SamplerInfo(
            start=state.point, accept_rate=torch.ones(len(point), device=current.device), n_moves=1, n_gradients=0
        )
        moved = state.point.with_aux(**{name: drawn})
        return SamplerState(point=moved, rng=state.rng, tuning=state.tuning), info

    def _block(self, view: EnergyView, point: Point, current: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        """Returns the values of a random block [B, w] and their energies [B, w], infinite where none is."""
        assert self.n_values is not None
        name, window = self.coordinate, min(self.config.window, self.n_values)
        offset = torch.randint(window, current.shape, generator=rng, device=current.device)
        values = block(current, offset if window < self.n_values else torch.zeros_like(offset), window)
        present = (values >= 0) & (values < self.n_values)
        index = values.clamp(0, self.n_values - 1).to(point.aux[name].dtype)
        columns = [view.energy(point.with_aux(**{name: column})) for column in index.unbind(dim=1)]
        return values, torch.where(present, torch.stack(columns, dim=1), torch.inf)

    def _current(self, point: Point) -> Tensor:
        name = self.coordinate
        if name not in point.aux:
            have = ", ".join(point.aux) or "no coordinate"
            raise CapabilityError(f"gibbs draws '{name}', but the chains have: {have}. Add --coordinate {name}.")
        current = point.aux[name]
        if current.is_floating_point() or current.ndim != 1:
            raise CapabilityError(
                f"gibbs draws '{name}' as an index [B], but it is {current.dtype} of shape {tuple(current.shape)}."
            )
        return current


def build_gibbs(config: GibbsConfig, context: BuildContext) -> Gibbs:
    """Builds the sampler.

    Raises:
        CapabilityError: the coordinate of a window is absent or not discrete, or nobody knows which one is meant.
    """
    selection = context.selection()
    settled = config.settled(selection)
    if settled.coordinate is None:
        raise CapabilityError(f"gibbs: {coordinate_unclear(settled, selection)}")
    n_values = count_values(context, settled.coordinate) if config.window else None
    return Gibbs(config=settled, temperature=context.temperature, n_values=n_values)
