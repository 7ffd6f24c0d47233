"""Samplers that break one promise each, and right ones beside them that break none."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from ebmkit import BuildContext, Component, SamplerTraits
from ebmkit.testing.targets import LAWS
from tests.testing.strange_movers import Brighten, Cached, Replicated, Tuned
from tests.testing.strange_samplers import (
    EXACT,
    Coins,
    Langevin,
    OwnGhmc,
    OwnMala,
    Step,
    all_by_one_number,
    all_by_the_mean,
    by_opposites,
    global_stream,
    no_ratio,
    published_ratio,
    two_by_two,
    two_h_ratio,
)

HERE = "tests.testing.doubles_of_samplers"


def build_traits(config: Step, context: BuildContext, *, traits: SamplerTraits, **wrong: Any) -> OwnMala:
    made = OwnMala(config, context, **wrong)
    made.traits = traits  # type: ignore[misc]
    return made


def build_cold(config: Step, context: BuildContext) -> OwnMala:
    return OwnMala(config, context, temperature=1.0)


def build_loud(config: Step, context: BuildContext) -> Brighten:
    made = Brighten(config, context)
    made.bounds = (0.0, 9.0)
    return made


def any_accepted(accepted: torch.Tensor) -> bool:
    """Looks, on the host, whether it is worth going on."""
    return bool(accepted.any())


KEEPS, MOMENTUM = SamplerTraits(adjusted=True, tail="keeps"), OwnGhmc.traits
build_right, build_ghmc, build_langevin = OwnMala, OwnGhmc, Langevin
build_brighten, build_replicated, build_tuned, build_coins = Brighten, Replicated, Tuned, Coins
build_cached = Cached
build_no_flip_needed = partial(OwnGhmc, left="forgotten", memory=0.0)
build_published, build_two_h = partial(OwnMala, ratio=published_ratio), partial(OwnMala, ratio=two_h_ratio)
build_no_ratio = partial(OwnMala, ratio=no_ratio)
build_no_flip, build_old_momentum = partial(OwnGhmc, left="forgotten"), partial(OwnGhmc, left="old")
build_wrong_way = partial(Replicated, sign=-1.0)
build_half_noise, build_lukewarm = partial(Langevin, heat=0.5), partial(Langevin, heat=1.0)
build_one_number = partial(OwnMala, decide=all_by_one_number)
build_by_the_mean = partial(OwnMala, decide=all_by_the_mean)
build_one_factor, build_torn = partial(Brighten, one=True), partial(Brighten, torn=True)
build_two_by_two = partial(OwnMala, decide=two_by_two)
build_by_opposites = partial(OwnMala, decide=by_opposites)
build_global, build_memory = partial(OwnMala, decide=global_stream), partial(OwnMala, memory=[])
build_single, build_still = partial(OwnMala, dtype=torch.float32), partial(build_traits, traits=MOMENTUM)
build_no_walls, build_not_finite = partial(OwnMala, walls=False), partial(OwnMala, finite=False)
build_deaf, build_learns = partial(Tuned, deaf=True), partial(Tuned, learns=True)
build_one_gradient, build_no_trials = partial(OwnMala, n_gradients=1), partial(OwnMala, n_proposals=0)
build_always = partial(Langevin, n_proposals=1)
build_looks, build_to_numpy = partial(OwnMala, look=any_accepted), partial(OwnMala, look=torch.Tensor.numpy)
build_wrong_tail = partial(build_traits, traits=KEEPS, tail="wrong")
build_every_row = partial(build_traits, traits=KEEPS, tail="every row")
build_deaf_tail = partial(OwnMala, tail="deaf")


def part(name: str, traits: SamplerTraits = EXACT, **more: Any) -> Component:
    build = f"{HERE}:build_{name.replace('-', '_')}"
    return Component(kind="sampler", name=name, config=Step, build=build, summary="a double", traits=traits, **more)


RIGHT = (
    part("right"), part("ghmc", MOMENTUM), part("no-flip-needed", MOMENTUM), part("langevin", Langevin.traits),
    part("brighten", Brighten.traits), part("replicated", Replicated.traits), part("tuned"),
)  # fmt: skip
"""Nothing is wrong with these."""

PUBLISHED = part("published")
WRONG: tuple[tuple[Component, str, str], ...] = (
    *((PUBLISHED, f"law-{law.name}", "standard errors off.*log q.*divided by 2s²") for law in LAWS),
    (part("two-h"), "law-gaussian", "standard errors off.*variances"),
    (part("no-ratio"), "law-gaussian", "standard errors off.*log q"),
    (part("no-flip", MOMENTUM), "law-gaussian", "after a rejection.*negated"),
    (part("old-momentum", MOMENTUM), "law-gaussian", "after a rejection.*negated"),
    (part("wrong-way", Replicated.traits), "law-gaussian", "exchange of replicas.*its sign"),
    (part("coins", Coins.traits), "law-ising", "standard errors off.*way back"),
    (part("coins", Coins.traits), "law-potts", "standard errors off.*way back"),
    (part("cold"), "temperature", r"T = 3.*Divide energies and gradients by context.temperature"),
    (part("lukewarm", Langevin.traits), "temperature", r"at T = 3 .*noise of variance 2ηT"),
    (part("half-noise", Langevin.traits), "bias-order", "bias_order = 1 is declared"),
    (part("one-number"), "rows", "share random numbers.*one accept decision each"),
    (part("one-factor", Brighten.traits), "rows", "share random numbers.*one number for each row"),
    (part("by-the-mean"), "rows", "no sum or mean over the batch|one accept decision each"),
    (part("two-by-two"), "rows", "share random numbers with others.*used by no other"),
    (part("by-opposites"), "rows", "share random numbers with others.*used by no other"),
    (part("cached", Cached.traits), "pure", "after the sampler had moved other chains: it keeps something of its own"),
    (part("global"), "pure", "global random stream.*generator=state.rng"),
    (part("memory"), "pure", "made one transition twice"),
    (part("single"), "float64", "float32.*Keep the dtype"),
    (part("still", MOMENTUM), "moves", "'momentum' of 200 chains is what it was"),
    (part("no-walls"), "walls", r"value_range is \(0, 1\)"),
    (part("loud", Brighten.traits), "walls", r"x is in \[.*value_range is \(0, 1\)"),
    (part("not-finite"), "finite", "a proposal whose energy is -?inf was accepted"),
    (part("deaf"), "tuning", "init was handed a tuning.*take `tuning`"),
    (part("learns"), "tuning", "a transition changed its tuning.*adapt in `adapted`"),
    (part("one-gradient"), "gradients", "reports n_gradients = 1, and asked the view for 2 a chain"),
    (part("no-trials"), "acceptance", "n_proposals is 0.*Count the moves"),
    (part("always", Langevin.traits), "acceptance", "rejects nothing and reports n_proposals = 1"),
    (part("looks"), "host", r"line \d+ of doubles_of_samplers.py: `return bool\(accepted.any\(\)\)`.*torch.where"),
    (part("to-numpy"), "host", "line .*strange_samplers.py: `self.look"),
    (part("wrong-tail", KEEPS), "tail", "finite differences of the path"),
    (part("every-row", KEEPS), "tail", "rows beyond the first 7 carry a graph"),
    (part("deaf-tail"), "no-tail", "Raise CapabilityError"),
    (part("torn", Brighten.traits), "passes-tail", "left without one"),
)  # fmt: skip
"""Double, the promise that it breaks, and what the message must say."""
