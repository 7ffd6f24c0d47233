"""What a sampler does is said once: what is declared is what is built, and what it does when it moves."""

from __future__ import annotations

from typing import Any

import pytest

from ebmkit import BuildContext, Selection
from ebmkit.assembly.build import build
from ebmkit.plugins.host import host
from ebmkit.protocols.sampler import Adaptive, Bounded, Composite, Monitored, Rescalable, Sampler
from tests.samplers.registry import OWN_LEVELS, context_of

IMAGE = (1, 8, 8)
NAMES = [part.name for part, _ in host().all() if part.kind == "sampler"]
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "gibbs": [{}, {"window": 2}], "mgms": [{"moves": 1}, {"moves": 1, "window": 2}], "nuts": [{"max_depth": 1}],
}  # fmt: skip


def context(name: str) -> BuildContext:
    if name in OWN_LEVELS:
        bare = BuildContext(event_shape=IMAGE)
        return BuildContext(event_shape=IMAGE, coordinates=(build("coordinate", "level", context=bare),))
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


def test_the_small_protocols_are_fulfilled_by_those_that_should() -> None:
    found = {name: build("sampler", name, context=context(name)) for name in NAMES}
    having = {p: {name for name, sampler in found.items() if isinstance(sampler, p)} for p in PROTOCOLS}
    extra = {"mgms"} & set(NAMES)
    composed = {"mgms", "annealed"} & set(NAMES)
    assert having[Adaptive] == {"mala", "hmc", "nuts"} and having[Rescalable] == {"sgld", "underdamped"}
    assert having[Composite] == {"tempering"} | composed and having[Monitored] == extra
    assert having[Bounded] == {"mala", "hmc", "nuts", "underdamped"}


PROTOCOLS = (Adaptive, Bounded, Composite, Monitored, Rescalable)


def test_words_follow_from_traits() -> None:
    for component, _ in host().all():
        if component.kind == "sampler":
            traits = component.traits_of(component.config(), Selection())
            assert traits.words <= set(component.ask("gives", component.config(), Selection()))
