"""Laws of the resolver over drawn universes of parts: order, idempotence, needs met, the user first, a note each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit.errors import CapabilityError
from ebmkit.plugins.component import Component, Include, Need, NoConfig, Selection
from ebmkit.plugins.host import Host
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.recipe import Part, Recipe, kind_of
from ebmkit.recipes.resolver.resolve import Resolution, resolve

WORDS = ("energy.a", "energy.b", "energy.c", "energy.on", "point.level", "point.mark", "sampler.exact", "objective.fit")
PROVIDERS = {
    "energy.a": "give-a", "energy.b": "give-b", "energy.c": "give-c", "point.level": "level", "point.mark": "mark",
    "sampler.exact": "exactly", "objective.fit": "cd",
}  # fmt: skip
WRAPPERS = (("give-a", "energy.a"), ("give-b", "energy.b"), ("give-c", "energy.c"), ("also-a", "energy.a"))
OBJECTIVES = ("o1", "o2", "o3", "o4", "cd")


@dataclass(frozen=True, kw_only=True)
class Net:
    on: bool = False


@dataclass(frozen=True, kw_only=True)
class Weight:
    weight: int = 1


@dataclass(frozen=True, kw_only=True)
class Cold:
    usual_temperature = 1e-9


QUIET = SamplerTraits(asks_gradient=False)
"""A sampler that gives no word."""


def part(kind: str, name: str, config: type = NoConfig, **more: Any) -> Component:
    if kind == "sampler":
        more.setdefault("traits", QUIET)
    return Component(kind=kind, name=name, config=config, build="n:x", summary="", **more)


def _hot(config: Any, selection: Selection) -> str:
    return "too hot" if selection.temperature >= 0.1 else ""


def _levelled(config: Any, selection: Selection) -> str:
    return "there is a level" if "level" in selection.coordinates else ""


def _beside_exact(config: Any, selection: Selection) -> str:
    return "beside exact" if "sampler.exact" in selection.capabilities else ""


RULES = (None, None, None, _hot, _levelled, _beside_exact)

needed = st.sampled_from(WORDS).flatmap(
    lambda word: st.builds(
        Need, st.just(word), st.sampled_from([PROVIDERS.get(word), PROVIDERS.get(word), None]),
        st.just({"on": True} if word == "energy.on" else {}),
    )
)  # fmt: skip


@st.composite
def answers(draw: st.DrawFn, item: st.SearchStrategy[Any], most: int) -> Any:
    """Draws a tuple, or a function of selection or config that answers with all of it, or less."""
    items = tuple(draw(st.lists(item, max_size=most)))
    form = draw(st.sampled_from(["tuple", "tuple", "function", "cold only", "heavy only"]))
    if form == "tuple":
        return items
    if form == "function":
        return lambda config, selection: list(items)
    if form == "cold only":
        return lambda config, selection: () if _hot(config, selection) else items
    return lambda config, selection: items if getattr(config, "weight", 2) > 1 else items[:1]


included = st.builds(
    Include,
    st.just("objective"), st.sampled_from(OBJECTIVES), st.sampled_from([{}, {}, {}, {"weight": 2}, {"weight": 3}]),
) | st.builds(
    Include, st.just("sampler"), st.just("shake"), before=st.sampled_from([None, "sampler.cold"]),
)  # fmt: skip


@st.composite
def universes(draw: st.DrawFn) -> tuple[Component, ...]:
    drawn = [
        part(
            "objective", name, Weight, needs=draw(answers(needed, 3)), includes=draw(answers(included, 3)),
            gives=draw(answers(st.sampled_from(["objective.fit", "objective.other"]), 1)),
            skip=draw(st.sampled_from(RULES)), refuse=draw(st.sampled_from((*RULES, *4 * (None,)))),
        )
        for name in OBJECTIVES[:-1]
    ]  # fmt: skip
    wrappers = [
        part(
            "wrapper", name, needs=draw(st.lists(needed, max_size=1).map(tuple)), gives=(gives,),
            hides=tuple(draw(st.lists(st.sampled_from(WORDS[:3]), max_size=1))),
        )
        for name, gives in WRAPPERS
    ]  # fmt: skip
    coordinates = [part("coordinate", name, needs=draw(answers(needed, 1))) for name in ("level", "mark")]
    return (*FIXED, *drawn, *wrappers, *coordinates)


FIXED = (
    part("dataset", "fashion-mini"), part("buffer", "replay"),
    part("objective", "cd", Weight, gives=("objective.fit",)),
    part("energy", "resnet", Net, gives=lambda c, s: ("energy.on",) if c.on else ()),
    part("energy", "rich", Net, gives=lambda c, s: ("energy.a", "energy.b", *(("energy.on",) if c.on else ()))),
    part("sampler", "sgld", Cold, gives=("sampler.cold",)),
    part("sampler", "exactly", traits=SamplerTraits(adjusted=True)),
    part("sampler", "shake", refuse=_beside_exact),
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> Recipe:
    def some(names: Sequence[str], most: int = 2) -> tuple[Part, ...]:
        return tuple(Part(n) for n in draw(st.lists(st.sampled_from(names), max_size=most, unique=True)))

    heavy = draw(st.sampled_from([{}, {}, {"weight": 5}]))
    return Recipe(
        parts={
            "energy": some(["resnet", "rich"], 1),
            "wrapper": some(["give-a", "give-b", "also-a"]),
            "coordinate": some(["level", "mark"]),
            "sampler": some(["sgld", "exactly", "shake"]),
            "objective": tuple(Part(p.use, heavy) for p in some(OBJECTIVES, 3)),
        },
        tables={"run": draw(st.sampled_from([{}, {}, {"temperature": 1.0}, {"temperature": 0.01}]))},
    )


def shelf(components: Sequence[Component]) -> Host:
    host = Host()
    for component in components:
        host.register(component)
    return host


def outcome(request: Recipe, host: Host) -> Resolution | str:
    try:
        return resolve(request, host)
    except CapabilityError as error:
        return str(error)


def component_of(host: Host, table: str, chosen: Part) -> Component:
    return host.get(kind_of(table), chosen.use)


def chosen(recipe: Recipe) -> Counter[tuple[str, str]]:
    return Counter((table, p.use) for table, parts in recipe.parts.items() for p in parts)


@given(universes(), requests(), st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_neither_the_order_of_naming_nor_of_discovery_makes_a_difference(
    universe: tuple[Component, ...], request: Recipe, random: Any
) -> None:
    def shuffled(items: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(random.sample(items, len(items)))

    renamed = {t: parts if t == "sampler" else shuffled(parts) for t, parts in request.parts.items()}
    again = Recipe(parts=renamed, tables=request.tables)
    assert outcome(request, shelf(universe)) == outcome(again, shelf(shuffled(universe)))


@given(universes(), requests())
@settings(max_examples=100)
def test_what_comes_out_is_complete_and_explained(universe: tuple[Component, ...], request: Recipe) -> None:
    host = shelf(universe)
    found = outcome(request, host)
    if isinstance(found, str):
        return
    assert resolve(found.recipe, host) == Resolution(found.recipe, ()), "resolving again changes nothing"
    assert chosen(request) <= chosen(found.recipe), "what the user named is there"
    for parts in request.parts.values():
        for asked in parts:
            settings = [p.settings for ps in found.recipe.parts.values() for p in ps if p.use == asked.use]
            assert all(asked.settings.items() <= s.items() for s in settings), "with the user's settings"
    added = chosen(found.recipe) - chosen(request)
    noted = [note for note in found.notes if note.startswith("added ")]
    assert len(noted) == added.total(), "every addition has one note"
    for table, name in added:
        kind = kind_of(table)
        assert sum(note.startswith((f"added {kind} {name} (", f"added {kind} {name} with ")) for note in noted) == 1
    check_words(found, host)


def check_words(found: Resolution, host: Host) -> None:
    """Asserts, without the resolver's own bookkeeping, that needs are met and includes are there or explained."""
    recipe = found.recipe
    configs = {id(p): component_of(host, t, p).config(**p.settings) for t, ps in recipe.parts.items() for p in ps}
    coordinates = tuple(sorted(p.use for p in recipe.parts.get("coordinate", ())))
    selection = Selection(
        temperature=recipe.table("run").temperature, coordinates=coordinates,
        capabilities=frozenset().union(*(_fixed_words(host, p) for p in recipe.parts["sampler"])),
    )  # fmt: skip

    def ask(question: str, table: str, p: Part) -> tuple[Any, ...]:
        return component_of(host, table, p).ask(question, configs[id(p)], selection)

    energy: set[str] = set(ask("gives", "energy", recipe.part("energy")))
    for wrapper in recipe.parts.get("wrapper", ()):
        inside = {n.word for n in ask("needs", "wrapper", wrapper) if n.word.startswith("energy.")}
        assert inside <= energy, "a wrapper finds what it needs inside"
        energy = energy - set(component_of(host, "wrapper", wrapper).hides) | set(ask("gives", "wrapper", wrapper))
    words = energy | {f"point.{name}" for name in coordinates} | set(selection.capabilities)
    words |= {w for p in recipe.parts["objective"] for w in ask("gives", "objective", p)}
    for table, parts in recipe.parts.items():
        for p in parts:
            needs = {n.word for n in ask("needs", table, p)}
            before = {f"point.{c.use}" for c in recipe.parts.get("coordinate", ())[: parts.index(p)]}
            if table == "coordinate":
                assert {w for w in needs if w.startswith("point.")} <= before, "coordinates find what they need before"
            if table != "wrapper":
                assert needs <= words, "every need is met"
            assert not component_of(host, table, p).objection("refuse", configs[id(p)], selection)
            for include in ask("includes", table, p):
                there = any(q.use == include.name for q in recipe.parts[include.kind])
                left_out = any(note.startswith(f"{include.kind} {include.name} left out (") for note in found.notes)
                assert there != left_out, "what is included is there, or it is said why not"


def _fixed_words(host: Host, p: Part) -> tuple[str, ...]:
    return component_of(host, "sampler", p).ask("gives", None, Selection())


@given(universes(), requests())
@settings(max_examples=60)
def test_another_provider_changes_nothing(universe: tuple[Component, ...], request: Recipe) -> None:
    found = outcome(request, shelf(universe))
    words = tuple(w for w in WORDS if not w.startswith("point."))
    more = [part(kind, f"a-{kind}", gives=words) for kind in ("wrapper", "objective", "buffer", "energy")]
    others = tuple(word for word in words if word != "sampler.exact")
    more.append(part("sampler", "a-sampler", gives=others, traits=SamplerTraits(adjusted=True)))
    again = outcome(request, shelf((*more, *universe)))
    assert again == found or (isinstance(found, str) and isinstance(again, str))


@given(universes(), requests(), st.data())
@settings(max_examples=80)
def test_a_part_taken_out_of_a_resolved_recipe_stays_out(
    universe: tuple[Component, ...], request: Recipe, data: st.DataObject
) -> None:
    host = shelf(universe)
    found = outcome(request, host)
    if isinstance(found, str):
        return
    table = data.draw(st.sampled_from(sorted(found.recipe.parts)))
    out = data.draw(st.sampled_from(found.recipe.parts[table]))
    smaller = found.recipe.with_part(table, *(p for p in found.recipe.parts[table] if p is not out))
    again = outcome(smaller, host)
    if not isinstance(again, str):
        assert again == Resolution(smaller, ())
