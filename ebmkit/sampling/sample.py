"""`ebmkit.sample`: run any sampler on any energy, and keep what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ebmkit.energies.wrap import AnyEnergy, as_energy
from ebmkit.errors import RecipeError
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy, EnergyView
from ebmkit.protocols.sampler import Sampler, SamplerInfo, SamplerState, Tuning
from ebmkit.rng import stream
from ebmkit.samplers.adaptation import adapted, for_evaluation
from ebmkit.samplers.warmup import unwarmed
from ebmkit.sampling.chosen_sampler import sampler_for
from ebmkit.sampling.keep import ENERGY, Emit, Keep, record
from ebmkit.sampling.moved import moved
from ebmkit.sampling.preflight import check_energy, check_sampler, check_start
from ebmkit.sampling.summary import Diagnostics, Printer, diagnose, emitted_in_words
from ebmkit.sampling.told import Progress, told
from ebmkit.views.view import view

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TRANSITIONS = 200
"""Transitions where the caller does not say: those of `mala` on a small network take some 10 s with their burn-in."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Samples:
    """Draws of batched chains; `print` them for their summary, which a notebook shows too.

    Attributes:
        x: [draws, B, *event], data units. With `emit`, [n, *event]: the rows that were emitted, in order.
        aux: coordinate → [draws, B, ...], likewise.
        energy: [draws, B], nats, likewise.
        accept_rate: [B], accepted proposals over proposals after burn-in; 1 for a sampler that proposes nothing.
        n_gradients: energy gradients that each chain spent, burn-in included.
        final: where the chains ended; with `tuning`, it continues them.
        tuning: the sampler's step sizes and counts after burn-in.
        chunk: chains a pass that were used; asked for again, it repeats the draws to the last bit.
    """

    x: Tensor
    aux: Mapping[str, Tensor]
    energy: Tensor
    accept_rate: Tensor
    n_gradients: int
    final: Point
    tuning: Tuning
    chunk: int = 0

    def summary(self) -> Diagnostics:
        """Returns R-hat, effective sample sizes, acceptance, energy and cost; `print` it.

        Raises:
            RecipeError: the draws were emitted, so they are no longer laid out by chain.
        """
        if self.energy.ndim != 2:
            raise RecipeError("A summary needs every draw of every chain, but `emit` kept some: sample without it.")
        return diagnose(self.x, self.energy, self.accept_rate, self.n_gradients)

    def __repr__(self) -> str:
        return f"Samples(x: {list(self.x.shape)}, {self.n_gradients:,} gradients a chain)"

    def __str__(self) -> str:
        return str(self.summary()) if self.energy.ndim == 2 else emitted_in_words(self.energy, self.n_gradients)

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        printer.text(str(self))


def sample(
    energy: AnyEnergy | EnergyView,
    sampler: Sampler | str | DataclassInstance,
    start: Point | Tensor,
    *,
    transitions: int = TRANSITIONS,
    burn_in: int | None = None,
    thin: int = 1,
    seed: int = 0,
    emit: Emit | None = None,
    adapt: bool = True,
    tuning: Tuning | None = None,
    chunk: int | Literal["auto"] = "auto",
    keep_on: torch.device | str = "cpu",
    max_bytes: int = 2**32,
    progress: Progress | bool = True,
) -> Samples:
    """Runs chains and returns their draws.

    The memory for the draws is taken before the first move; nothing else grows with the number of transitions.

    Args:
        energy: a module or function of x [B, *event], or of a `Point`, that returns [B] nats; or a view made by
            `ebmkit.view`. Of a log-density: `ebmkit.energy(log_p, output="log_density")`.
        sampler: a built part; or its settings, `ebmkit.samplers.Mala(step_size=0.1)`, or its name, from which it is
            built at temperature 1. Its steps learn from each transition then, unless its settings say how they learn.
        start: B chains; a tensor [B, *event] stands for a point without coordinates.
        transitions: transitions after burn-in; every `thin`-th is kept. The 200 of the default are a first look, and
            the summary says whether they will do.
        burn_in: transitions that are thrown away first, while step sizes learn; unset: as many as `transitions`, or
            none where a `tuning` goes on from an earlier run.
        thin: transitions per draw. A draw also costs one energy of each chain, kept with it.
        seed: of the chains' random stream; the global stream is not touched.
        emit: point → [B] bool; keeps just the rows for which it holds, after each `thin`-th transition.
        adapt: whether the step sizes of a sampler with an adaptation rule learn during burn-in. After it they stand
            still, so that the draws come from one transition law.
        tuning: step sizes to start from, as an earlier run returned them; unset, those of the sampler's settings.
        chunk: chains a pass, 0 for all at once; "auto" measures it for 8,192 chains or more. It changes no random
            number, and values only by rounding. A view that is handed over has its own.
        keep_on: device that keeps the draws.
        max_bytes: more than this is not kept.
        progress: show how far the chains are, in a terminal or a notebook; or a function that is called after each
            transition with (transitions made, transitions in all, its info).

    Raises:
        RecipeError: a count or step size is not positive, nothing would be kept, or more than `max_bytes`; there are no
            chains, or the start is not finite; a chunk is given beside a view.
        CapabilityError: the energy takes neither x nor points, does not return [B], or mixes rows; the sampler cannot
            move such x, or the chains lack a coordinate that it needs.
        DivergenceError: a chain is not finite any more; it names the move.

    >>> import torch, ebmkit
    >>> sampler = ebmkit.build("sampler", "sgld", step_size=0.01, moves=10)
    >>> draws = ebmkit.sample(lambda p: p.x.square().sum(1) / 2, sampler, torch.zeros(4, 2), transitions=3, burn_in=0)
    >>> draws.x.shape, draws.n_gradients
    (torch.Size([3, 4, 2]), 30)
    """
    if burn_in is None:
        burn_in = 0 if tuning else transitions
    _check_counts(transitions, burn_in, thin)
    point = (start if isinstance(start, Point) else Point(x=torch.as_tensor(start))).map(torch.detach)
    check_start(point)
    built, rng = sampler_for(sampler, point), stream(seed, 0, "sample", point.x.device)
    state = built.init(point, rng, unwarmed(tuning))
    check_sampler(built, state)
    over_points = energy if isinstance(energy, EnergyView) else as_energy(energy, state.point)
    seen = _seen(over_points, chunk)
    first = record(state.point, check_energy(over_points, seen, state.point))
    kept = Keep(emit=emit, on=keep_on, max_bytes=max_bytes, thin=thin).room(first, transitions)
    accepted, gradients = torch.zeros(len(point), device=point.x.device), 0
    with told(progress) as tell:
        for i in range(1, burn_in + transitions + 1):
            state, info = moved(built, seen, state, i)
            gradients += info.n_gradients
            if i > burn_in:
                accepted = accepted + info.accept_rate
                if (i - burn_in) % thin == 0:
                    kept.put(record(state.point, seen.energy(state.point)))
            elif adapt:
                state = _learnt(built, state, info, is_last=i == burn_in)
            tell(i, burn_in + transitions, info)
    draws = kept.all()
    return Samples(
        x=draws.x,
        aux=dict(draws.without(ENERGY).aux),
        energy=draws.aux[ENERGY],
        accept_rate=accepted / transitions,
        n_gradients=gradients,
        final=state.point,
        tuning=state.tuning,
        chunk=_chunk(seen),
    )


def _learnt(sampler: Sampler, state: SamplerState, info: SamplerInfo, *, is_last: bool) -> SamplerState:
    """Returns the state with step sizes that learnt from a transition of burn-in, after the last one to stay."""
    tuning = adapted(sampler, state.tuning, info)
    return replace(state, tuning=for_evaluation(tuning) if is_last else tuning)


def _seen(energy: Energy | EnergyView, chunk: int | Literal["auto"]) -> EnergyView:
    if not isinstance(energy, EnergyView):
        return view(energy, chunk=chunk)
    if chunk != "auto":
        raise RecipeError(f"chunk = {chunk} was asked of a view, which has its own: use ebmkit.view(…, chunk={chunk}).")
    return energy


def _chunk(seen: EnergyView) -> int:
    """Returns the chains a pass of a view; one that is not ours, or that saw no large batch, takes all at once."""
    chunk = getattr(getattr(seen, "passes", None), "chunk", 0)
    return chunk if isinstance(chunk, int) else 0


def _check_counts(transitions: int, burn_in: int, thin: int) -> None:
    if transitions < 1 or burn_in < 0 or thin < 1:
        raise RecipeError(
            f"sample needs transitions ≥ 1, burn_in ≥ 0, thin ≥ 1; found {transitions}, {burn_in}, {thin}."
        )
    if thin > transitions:
        raise RecipeError(f"thin = {thin} keeps none of {transitions} transitions: use at least {thin} transitions.")
