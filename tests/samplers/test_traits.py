"""What a sampler does is said once: what is declared is what is built, and what it does when it moves."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ebmkit import BuildContext, Selection
from ebmkit.assembly.build import build
from ebmkit.plugins.host import host
from ebmkit.protocols.sampler import Adaptive, Bounded, Composite, Monitored, Rescalable, Sampler, Tail
from ebmkit.views.view import view
from tests.samplers.registry import AnyShape, context_of, start_of

IMAGE = (1, 8, 8)
NAMES = [part.name for part, _ in host().all() if part.kind == "sampler"]
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "gibbs": [{}, {"window": 2}], "mgms": [{"moves": 1}, {"moves": 1, "window": 2}], "nuts": [{"max_depth": 1}],
}  # fmt: skip


def context(name: str) -> BuildContext:
    if name != "augment":
        return context_of(IMAGE)
    return BuildContext(event_shape=IMAGE, value_range=(0.0, 1.0))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_built_has_the_traits_that_are_declared(name: str) -> None:
    component, where = host().get("sampler", name), context(name)
    for settings in SETTINGS.get(name, [{}]):
        config = component.config(**settings)
        settled = config.settled(where.selection()) if hasattr(config, "settled") else config
        sampler = build("sampler", name, context=where, **settings)
        assert isinstance(sampler, Sampler) and sampler.traits == component.traits_of(settled, where.selection())


@pytest.mark.parametrize("name", NAMES)
def test_it_moves_what_it_says_and_nothing_else(name: str) -> None:
    settings = SETTINGS.get(name, [{}])[0]
    sampler = build("sampler", name, context=context(name), **settings)
    state = sampler.init(start_of(name, 200, IMAGE), torch.Generator().manual_seed(0))
    after, info = sampler.step(view(AnyShape()), state)
    old, new = {"x": state.point.x, **state.point.aux}, {"x": after.point.x, **after.point.aux}
    assert {key for key in new if key not in old or not torch.equal(old[key], new[key])} == sampler.traits.moves
    assert (info.n_gradients > 0) == sampler.traits.asks_gradient


@pytest.mark.parametrize("name", NAMES)
def test_a_tail_is_kept_passed_on_or_refused_as_it_says(name: str) -> None:
    sampler = build("sampler", name, context=context(name), **SETTINGS.get(name, [{}])[0])
    carried = torch.ones((), requires_grad=True)
    point = start_of(name, 4, IMAGE)
    state = sampler.init(point, torch.Generator().manual_seed(0))
    if sampler.traits.tail == "passes":
        live = state.point.replace(x=state.point.x * carried)
        after, _ = sampler.step(view(AnyShape()), type(state)(point=live, rng=state.rng, tuning=state.tuning))
        assert after.point.x.requires_grad
    elif sampler.traits.tail == "keeps":
        weight = torch.ones((), requires_grad=True)
        seen = view(lambda p: weight * p.x.flatten(1).square().sum(dim=1)) if name != "mgms" else None
        if seen is not None:
            after, _ = sampler.step(seen, state, tail=Tail())
            assert after.point.x.requires_grad
    else:
        with pytest.raises(Exception, match="tail was asked of"):
            sampler.step(view(AnyShape()), state, tail=Tail())


def test_the_small_protocols_are_fulfilled_by_those_that_should() -> None:
    found = {name: build("sampler", name, context=context(name)) for name in NAMES}
    having = {p: {name for name, sampler in found.items() if isinstance(sampler, p)} for p in PROTOCOLS}
    extra = {"mgms"} & set(NAMES)
    assert having[Adaptive] == {"mala", "hmc", "nuts"} and having[Rescalable] == {"sgld", "underdamped"}
    assert having[Composite] == {"tempering"} | extra and having[Monitored] == extra
    assert having[Bounded] == {"mala", "hmc", "nuts", "underdamped"}


PROTOCOLS = (Adaptive, Bounded, Composite, Monitored, Rescalable)


def test_words_follow_from_traits() -> None:
    for component, _ in host().all():
        if component.kind == "sampler":
            traits = component.traits_of(component.config(), Selection())
            assert traits.words <= set(component.ask("gives", component.config(), Selection()))
