"""Fresh chains for a report, and a few of them on their way from noise."""

from __future__ import annotations

from math import inf
from time import monotonic

from torch import Tensor

from ebmkit.errors import RunError
from ebmkit.rng import stream
from ebmkit.sampling.generate import Generated
from ebmkit.sampling.model import Model
from ebmkit.sampling.named import ready
from ebmkit.sampling.plan import plan_of
from ebmkit.sampling.shown import shown
from ebmkit.sampling.starts import fresh_chains

MOST = 500
"""Transitions of a chain that is taken at a visit to data, unless more are asked for."""
FRAMES = 60
"""Moments of the chains that are kept, at most."""


class Film:
    """Keeps a few chains at every transition, at every second one where there are too many, and so on.

    Args:
        start: x [k, *event] of the chains before their first transition.
        seconds: after which the chains are given up.
    """

    def __init__(self, start: Tensor, seconds: float = inf) -> None:
        self._begun, self._seconds = monotonic(), seconds
        self.k, self.kept = len(start), [(0, start)]
        self._every, self._seen = 1, 0
        self._last, self._given_up = self.kept[0], False

    def __call__(self, x: Tensor) -> None:
        """Keeps x [n, *event] after a transition, or does not; raises RunError where it takes too long."""
        self._seen += 1
        if monotonic() - self._begun > self._seconds:
            self._given_up = True
            raise RunError(
                f"the chains were given up after {self._seconds:g} s, as they had not ended. Give them more "
                "(--seconds), ask for fewer (-n) or shorter ones (--transitions), or draw them with ebmkit sample."
            )
        self._last = self._seen, x[: self.k].detach().clone()
        if self._seen % self._every == 0:
            self.kept.append(self._last)
        if len(self.kept) > FRAMES:
            self.kept, self._every = self.kept[::2], 2 * self._every

    @property
    def frames(self) -> list[tuple[int, Tensor]]:
        """Transitions made and x [k, *event], the last ones among them; none of chains that were given up."""
        if self._given_up or not self._seen:
            return []
        return self.kept if self.kept[-1][0] == self._last[0] else [*self.kept, self._last]


def begun(model: Model, n: int, seconds: float = inf, n_film: int = 4) -> Film:
    """Returns the film of the first few of n chains, at their start, where `generate` will begin them.

    Args:
        model: whose chains they are.
        n: chains in all.
        seconds: after which the film gives them up.
        n_film: chains of the film.
    """
    seed = model.recipe.table("run").seed
    size = min(n, model.recipe.table("sample").batch_size)
    rng = stream(seed, 0, f"generate {seed} 0", model.device)  # as the first batch of `generate` has it
    start = fresh_chains(_ready(model, seed), size, rng, {})
    return Film(model.in_data_range(start.without("latent")).cpu()[:n_film], seconds)


def sampled(model: Model, n: int, film: Film | None, transitions: int | None, visits: int | None) -> Generated:
    """Returns n fresh chains, drawn as the recipe says, or as asked; raises as `generate`.

    Chains that are taken at a visit to data make no more than `MOST` transitions, unless more are asked for: a model
    that lets none through would take many minutes.
    """
    plan = plan_of(_ready(model, model.recipe.table("run").seed), frozenset(), transitions, visits)
    if plan.visits and transitions is None:
        transitions = min(plan.transitions, MOST)
    return shown(model, n, frames=film, transitions=transitions, visits=visits)


def _ready(model: Model, seed: int) -> Model:
    """Returns the model with the sampler that draws its samples; annealed, they need none."""
    return model if model.recipe.table("sample").method == "anneal" else ready(model, {}, seed)


def told(model: Model, made: Generated) -> str:
    """Returns how chains were made, in words."""
    how = f"taken {made.plan.taken()}"
    rate = "" if made.accept_rate is None else f", {made.accept_rate:.2f} of the proposals accepted"
    seed = model.recipe.table("run").seed
    return (
        f"{len(made.x)} fresh chains of step {model.step:,}, averaged weights, seed {seed}: {how}, "
        f"{made.n_gradients:,} gradients each{rate}; unselected"
    )
