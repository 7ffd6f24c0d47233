"""Fresh samples of a trained model, free or given something."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit.assembly.memory import free_bytes
from ebmkit.errors import RecipeError, RunError
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.recipes.counts import MOST
from ebmkit.recipes.tables import Method
from ebmkit.rng import stream
from ebmkit.sampling.anneal import annealing
from ebmkit.sampling.denoise import denoised
from ebmkit.sampling.descent import down_to_data
from ebmkit.sampling.held import names_of_labels
from ebmkit.sampling.model import Model
from ebmkit.sampling.pixels import PIXELS
from ebmkit.sampling.plan import Plan, plan_of
from ebmkit.sampling.prepared import Prepared, prepared
from ebmkit.sampling.starts import fresh_chains, started
from ebmkit.sampling.summary import Printer
from ebmkit.sampling.transitions import Taken, Watch, after_transitions, at_visits
from ebmkit.sampling.variants import without_augmentation


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """Fresh samples; `print` them for what they cost and what is wrong with them, which a notebook shows too.

    Attributes:
        x: [n, *event] in the value range of the data, on the CPU.
        aux: coordinates of the chains, and what was given, [n, ...].
        n_gradients: energy gradients a sample: of all chains until they were taken, or given up, over the samples.
        plan: how the chains were made.
        n_late: chains that had not come to data often enough within the transitions. They are not among the samples.
        seconds: of sampling.
        accept_rate: share of all proposals for x that were accepted; None where the sampler rejects nothing.
        seed: of the chains.
        names: the class of each sample, of its label or of what it was given; empty where there is none.
        mask: bool [*event], True where x was given; None where it is free.
        denoised: s.d. of the noise that a last step took away, data units; None without one.
        said: what was left out or held for what was given.
    """

    x: Tensor
    aux: Mapping[str, Tensor]
    n_gradients: int
    plan: Plan
    n_late: int
    seconds: float
    accept_rate: float | None = None
    seed: int = 0
    names: tuple[str, ...] = ()
    mask: Tensor | None = None
    denoised: float | None = None
    said: tuple[str, ...] = ()

    @property
    def transitions(self) -> int:
        """Transitions of each chain, plain ones included; by visits, the most; annealed, values that it came by."""
        return self.plan.transitions + self.plan.plain_transitions

    @property
    def notes(self) -> tuple[str, ...]:
        """What makes these samples differ from the model's law, and what to do; a sentence or two each."""
        late = (
            f"{self.n_late} of {len(self.x) + self.n_late} chains had not come to data {self.plan.often()} within "
            f"{self.plan.transitions:,} transitions and are left out. Those that had are the faster ones: raise "
            "--transitions."
        )
        return tuple(note for note in (self.plan.bias(), late if self.n_late else "", *self.said) if note)

    def __repr__(self) -> str:
        return f"Generated(x: {list(self.x.shape)}, {self.n_gradients:,} gradients a sample)"

    def __str__(self) -> str:
        rate = "" if self.accept_rate is None else f", acceptance {self.accept_rate:.2f}"
        last = "" if self.denoised is None else f", then denoised once (noise of s.d. {self.denoised:.3g})"
        cost = f"{self.n_gradients:,} gradients a sample{rate}{last}, {self.seconds:.1f} s"
        return "\n".join(
            [f"{len(self.x):,} samples {list(self.x.shape[1:])}, each taken {self.plan.taken()}: {cost}", *self.notes]
        )

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        printer.text(str(self))


def generate(
    model: Model,
    n: int,
    *,
    start: Tensor | None = None,
    given: Mapping[str, Any] | None = None,
    strength: float | None = None,
    transitions: int | None = None,
    visits: int | None = None,
    plain_transitions: int | None = None,
    seed: int | None = None,
    denoise: bool | float | None = None,
    method: Method | None = None,
    moves: int | None = None,
    watch: Watch | None = None,
) -> Generated:
    """Starts n chains from the prior and lets a sampler move them, with the averaged weights.

    The sampler is the one that `[sample]` names, else that of training. With method "anneal" none is asked: chains walk
    from noise to data along the coordinate that takes them away, by an ancestral step and exact moves at each value.
    All other coordinates stay as they were drawn at the start.

    Where a coordinate that the sampler moves takes chains away from data and back, as a noise level does, each chain is
    taken at one of its visits to data, and not after a number of transitions. Chains that are given such a coordinate
    stay there, and are taken after their transitions. Where no sampler moves it and it is a `Descending` one, chains
    come down it to data, with their transitions at each value.

    Args:
        model: as `ebmkit.load` returns it, or composed of several by `ebmkit.sampling.compose`. It is not changed.
        n: number of chains.
        start: x [n, *event] in the value range of the data, where the chains start; unset, they start from the prior.
            Where pixels are given, those of these; the free ones start from the prior.
        given: coordinate → value (`{"label": "3"}`), or `{"latent": "class:3*1,class:7*-0.5"}`. Parts of the sampler
            that move nothing else are left out. "all" for a label, "class:all" for a latent: each class to as many
            chains. `{"pixels": mask}`, bool [*event] or the path of a picture: the entries of `start` where it is True,
            or white, stay, and the law of the others given these is sampled.
        strength: of a given latent, β in nats; unset: that of training.
        transitions: of each chain; unset: `[sample] transitions`. By visits, the most that a chain may make.
        visits: visits to data after which a chain is taken; unset: `[sample] visits`.
        plain_transitions: after these, without parts that only augment; unset: `[sample] plain_transitions`.
        seed: of the chains; unset: that of the recipe.
        denoise: at the end, one step to the mean of the clean x that noisy x may come from (Tweedie's formula), where a
            noise level knows the noise; or the s.d. of the noise that the data were given, data units. Unset:
            `[sample] denoise`.
        method: "visits" or "anneal"; unset: `[sample] method`.
        moves: annealed, exact moves at each value; unset: `[sample] moves`.
        watch: called after each transition with how far the chains are.

    Raises:
        RecipeError: a count is not positive or beyond memory, a given value makes no sense, or visits or plain
            transitions do not apply.
        CapabilityError: the run has no latent that was given, its sampler cannot hold what was given, or nothing brings
            its chains to data.
        DivergenceError: a chain is not finite.
        RunError: by visits, no chain came to data often enough within its transitions.

    Source: by visits, Zhang, Tan, Ou, Stat 2023, with 50 visits. A chain emits its state at the M-th transition that
    ends at data; transitions that stay there count as visits.
    """
    _check_fits(model, n)
    seed = model.recipe.table("run").seed if seed is None else seed
    config = model.recipe.table("sample")
    denoise, anneals = config.denoise if denoise is None else denoise, (method or config.method) == "anneal"
    made = prepared(
        model, n, given=given or {}, strength=strength, start=start, seed=seed, denoise=denoise, anneals=anneals
    )
    model, begun, batches = made.model, time.monotonic(), list[Taken]()
    plan = plan_of(model, made.rows, transitions, visits, plain_transitions, method=method, moves=moves)
    size, view, sds = config.batch_size, model.view(), list[float]()
    walk = annealing(model, view, made.rows, plan.moves, seed) if plan.walked else None
    for first in range(0, n, size):
        rng = stream(seed, 0, f"generate {seed} {first}", model.device)
        chains = _started(made, first, min(size, n - first), rng)
        taken = walk.walk(chains, rng, watch) if walk else _taken(model, view, plan, chains, rng, watch)
        if denoise and len(taken.point):
            taken, sd = denoised(model, taken, denoise)
            sds.append(sd)
        batches.append(replace(taken, rows=taken.rows + first))
    samples = _joined(model, batches, plan, time.monotonic() - begun)
    rows = torch.cat([taken.rows for taken in batches]).tolist()
    names = tuple(made.names[row] for row in rows) if made.names else names_of_labels(model, samples.aux)
    sd_taken = sum(sds) / len(sds) if sds else None
    return replace(samples, seed=seed, names=names, mask=made.mask, denoised=sd_taken, said=made.said)


def _check_fits(model: Model, n: int) -> None:
    """Raises RecipeError where so many samples are beyond the memory that is free."""
    n_bytes = 4 * n * math.prod(model.data.event_shape)
    if n > MOST or n_bytes > free_bytes():
        raise RecipeError(
            f"{n:,} samples take {n_bytes:,} bytes of memory, and this machine has {free_bytes():,} free; {MOST:,} are "
            "the most at a time. Ask for fewer, with several seeds where you need as many."
        )


def _started(made: Prepared, first: int, n: int, rng: Generator) -> Point:
    """Returns n chains from the first-th on where they start."""
    rows = {name: values[first : first + n] for name, values in made.rows.items()}
    chains = fresh_chains(made.model, n, rng, rows)
    return chains if made.start is None else started(made.model, chains, made.start[first : first + n], rows)


def _taken(model: Model, view: EnergyView, plan: Plan, start: Point, rng: Generator, watch: Watch | None) -> Taken:
    """Moves the chains of one batch as planned."""
    state = model.sampler.init(start, rng, model.tuning)
    if plan.values:
        return down_to_data(model, view, plan, state, watch)
    if plan.visits:
        return at_visits(model, view, state, plan.visits, plan.transitions, watch)
    rest = without_augmentation(model) if plan.plain_transitions else model
    return after_transitions([(model, plan.transitions), (rest, plan.plain_transitions)], view, state, watch)


def _joined(model: Model, batches: list[Taken], plan: Plan, seconds: float) -> Generated:
    """Returns the samples of all batches; raises RunError where there are none."""
    n_samples, n_chains = sum(len(chains.point) for chains in batches), sum(chains.n_chains for chains in batches)
    spent = sum(chains.n_gradients for chains in batches)
    if not n_samples:
        most = max(chains.most_visits for chains in batches)
        raise RunError(
            f"None of {n_chains:,} chains came to data {plan.often()} within {plan.transitions:,} transitions "
            f"({spent // n_chains:,} gradients each; the most visits of a chain: {most}). "
            "Give them more transitions or ask for fewer visits (--transitions, --visits); a model that was trained "
            "for too few steps may never let them through."
        )
    return Generated(
        x=torch.cat([model.in_data_range(chains.point.without("latent")) for chains in batches]).cpu(),
        aux={
            name: torch.cat([chains.point.aux[name] for chains in batches]).cpu()
            for name in batches[0].point.aux
            if name != PIXELS
        },
        n_gradients=round(spent / n_samples),
        plan=plan,
        n_late=n_chains - n_samples,
        seconds=seconds,
        accept_rate=_accept_rate(batches),
    )


def _accept_rate(batches: list[Taken]) -> float | None:
    """Returns the mean acceptance of all batches, each counted by its gradients, of which a move costs as many."""
    rates = [(c.accept_rate, c.n_gradients) for c in batches if c.accept_rate is not None]
    total = sum(weight for _, weight in rates)
    return sum(rate * weight for rate, weight in rates) / total if total else None
