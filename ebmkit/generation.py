"""Fresh samples of a trained run, free or given something."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ebmkit.assemble import in_data_range
from ebmkit.buffers.fresh import Fresh
from ebmkit.components import BuildContext
from ebmkit.conditions import condition
from ebmkit.errors import CapabilityError, DivergenceError, RecipeError
from ebmkit.phases import stream
from ebmkit.point import Point
from ebmkit.protocols import EnergyView, Sampler, Tuning, moves_x
from ebmkit.runs import Run
from ebmkit.samplers.sequence import Sequence
from ebmkit.views import view

Watch = Callable[[int, int, Tensor], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """Fresh samples.

    Attributes:
        x: [n, *event] in the value range of the data, on the CPU.
        aux: coordinates of the chains, and what was given, [n, ...].
        n_gradients: energy gradients that each chain spent.
        rounds: transitions of each chain.
        seconds: of sampling.
    """

    x: Tensor
    aux: Mapping[str, Tensor]
    n_gradients: int
    rounds: int
    seconds: float


def generate(
    run: Run,
    n: int,
    *,
    given: Mapping[str, str] | None = None,
    strength: float | None = None,
    rounds: int | None = None,
    seed: int | None = None,
    watch: Watch | None = None,
) -> Generated:
    """Starts n chains from the prior and lets the run's sampler move them, with the averaged weights.

    Args:
        run: as `ebmkit.load` returns it.
        n: number of chains.
        given: coordinate → value (`{"label": "3"}`), or `{"latent": "class:3*1,class:7*-0.5"}`. Parts of the sampler
            that move nothing else are left out.
        strength: of a given latent, β in nats; unset: that of training.
        rounds: transitions; unset: `[sample] rounds` of the recipe.
        seed: of the chains; unset: that of the recipe.
        watch: called after each round with (round, rounds, x so far of the present chains).

    Raises:
        RecipeError: n or rounds is not positive, or a given value makes no sense.
        CapabilityError: the run has no latent that was given, or its sampler cannot hold what was given.
        DivergenceError: a chain is not finite.
    """
    config = run.recipe.table("sample")
    rounds = config.rounds if rounds is None else rounds
    if n < 1 or rounds < 1:
        raise RecipeError(f"Sampling needs at least one chain and one round; found n = {n}, rounds = {rounds}.")
    if strength is not None and "latent" not in (given or {}):
        raise RecipeError("--given-strength weighs a given latent: add --given latent=….")
    fixed = condition(run, given or {}, strength)
    run = holding(run, frozenset(fixed))
    seed = run.recipe.table("run").seed if seed is None else seed
    seen = view(run.energy, run.recipe.table("run").precision)
    begun, done, gradients = time.monotonic(), [], 0
    for start in range(0, n, config.batch_size):
        size = min(config.batch_size, n - start)
        point, gradients = _chains(run, seen, size, fixed, rounds, f"generate {seed} {start}", watch)
        done.append(point)
    x = torch.cat([in_data_range(run.coordinates, p.without("latent")) for p in done]).cpu()
    aux = {name: torch.cat([p.aux[name] for p in done]).cpu() for name in done[0].aux}
    return Generated(x=x, aux=aux, n_gradients=gradients, rounds=rounds, seconds=time.monotonic() - begun)


def fresh_chains(run: Run, n: int, rng: torch.Generator) -> Point:
    """Returns n chains from the prior that generation starts from."""
    context = BuildContext(
        event_shape=run.facts.event_shape,
        value_range=run.facts.value_range,
        coordinates=run.coordinates,
        device=run.device,
    )
    return Fresh(context)(n, rng, "generation")


def holding(run: Run, names: frozenset[str]) -> Run:
    """Returns the run with a sampler that leaves some coordinates alone.

    Raises:
        CapabilityError: a part moves one of them together with something else, or nothing else is moved.
    """
    kept = _without_movers(run.sampler, run.tuning, names)
    if kept is None:
        given = ", ".join(sorted(names))
        raise CapabilityError(
            f"--given {given}: the sampler of this run moves nothing else. Train with one that moves x."
        )
    return replace(run, sampler=kept[0], tuning=kept[1])


def _without_movers(sampler: Sampler, tuning: Tuning, names: frozenset[str]) -> tuple[Sampler, Tuning] | None:
    """Returns a sampler without its parts that move nothing but these coordinates, and their places in the tuning."""
    if not sampler.moves_coordinates & names:
        return sampler, tuning
    if isinstance(sampler, Sequence):
        parts = [_without_movers(c, tuning.get(str(i), {}), names) for i, c in enumerate(sampler.children)]
        kept = [part for part in parts if part is not None]
        return (Sequence([c for c, _ in kept]), {str(i): t for i, (_, t) in enumerate(kept)}) if kept else None
    others = sorted(sampler.moves_coordinates - names)
    if others or moves_x(sampler):
        given = ", ".join(sorted(sampler.moves_coordinates & names))
        raise CapabilityError(
            f"--given {given}: {type(sampler).__name__} moves it together with {', '.join(others) or 'x'}, so it "
            "cannot be held. Train with a sampler that moves it by itself, as gibbs does."
        )
    return None


def _chains(
    run: Run, seen: EnergyView, n: int, fixed: Mapping[str, Tensor], rounds: int, name: str, watch: Watch | None
) -> tuple[Point, int]:
    rng = stream(0, 0, name, run.device)
    start = fresh_chains(run, n, rng)
    held = {key: value.to(run.device).expand(n, *value.shape).contiguous() for key, value in fixed.items()}
    state = run.sampler.init(start.with_aux(**held), rng, run.tuning)
    gradients = 0
    for i in range(rounds):
        state, info = run.sampler.step(seen, state)
        gradients += info.n_gradients
        if not bool(torch.isfinite(state.point.x).all()):
            raise DivergenceError(f"A chain is not finite after round {i + 1}: sample with a smaller step.")
        if watch:
            watch(i + 1, rounds, in_data_range(run.coordinates, state.point.without("latent")).cpu())
    return state.point, gradients
