"""From what was named to a complete recipe, one rule at a time, and what is said where that cannot be."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from annotated_types import Gt

from ebmkit.errors import CapabilityError, EbmkitError, PluginError, RecipeError
from ebmkit.plugins.component import Component, Include, Need, NoConfig, Selection
from ebmkit.plugins.host import Host, host
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.recipe import Part, Recipe, from_mapping
from ebmkit.recipes.resolver.resolve import Resolution, resolve


@dataclass(frozen=True, kw_only=True)
class Net:
    head: str = "linear"
    labels: bool = False
    width: Annotated[int, Gt(0)] = 8


@dataclass(frozen=True, kw_only=True)
class Weight:
    weight: float = 1.0


QUIET = SamplerTraits(asks_gradient=False)
"""A sampler that gives no word."""


def declared(kind: str, name: str, config: type = NoConfig, **more: Any) -> Component:
    if kind == "sampler":
        more.setdefault("traits", QUIET)
    return Component(kind=kind, name=name, config=config, build="n:x", summary="", **more)


def _gives(config: Net, selection: Selection) -> tuple[str, ...]:
    words = ("energy.features", f"energy.{config.head}")
    return (*words, "energy.labels") if config.labels else words


def _hot(config: Any, selection: Selection) -> str:
    return f"at temperature {selection.temperature:g} it diverges" if selection.temperature >= 0.1 else ""


def _beside_exact(config: Any, selection: Selection) -> str:
    return "an exact sampler is beside it" if "sampler.exact" in selection.capabilities else ""


SQUARED = Need("energy.half-squared-norm", config={"head": "half-squared-norm"})
SHAKE = Include("sampler", "shake", before="sampler.unadjusted")
SHELF = (
    declared("dataset", "fashion-mini"),
    declared("energy", "resnet", Net, gives=_gives),
    declared("energy", "plain"),
    declared("buffer", "replay"),
    declared("buffer", "reservoir"),
    declared("sampler", "sgld", traits=SamplerTraits(tail="keeps")),
    declared("sampler", "exactly", traits=SamplerTraits(adjusted=True)),
    declared("sampler", "shake", refuse=_beside_exact),
    declared("sampler", "visit", traits=SamplerTraits(moves={"level"}, adjusted=True)),
    declared(
        "coordinate", "level", needs=(Need("energy.levels.level", default="by-level"), Need("moves.level", "visit"))
    ),
    declared("coordinate", "label", needs=(Need("energy.labels", config={"labels": True}),)),
    declared("wrapper", "latent-head", Weight, needs=(Need("energy.features"),), gives=("energy.latent",)),
    declared("wrapper", "other-head", needs=(Need("energy.features"),), gives=("energy.latent",)),
    declared("wrapper", "by-level", needs=(Need("point.level"),), gives=("energy.levels.level",)),
    declared("wrapper", "blind", hides=("energy.features",)),
    declared("wrapper", "anew", needs=(Need("energy.features"),), gives=("energy.features",)),
    declared("objective", "cd", gives=("objective.fit",)),
    declared("objective", "penalty", Weight, skip=_hot),
    declared("objective", "guide", Weight, optim={"use": "sgd", "lr": 0.5}, needs=(
        SQUARED, Need("energy.latent", default="latent-head"), Need("objective.fit", default="cd"),
    ), includes=(Include("objective", "penalty", reason="it bounds"), SHAKE)),
    declared("objective", "guide-two", includes=(SHAKE, Include("objective", "penalty"))),
    declared("objective", "leveller", needs=(Need("point.level", default="level"),)),
    declared("objective", "featured", needs=(Need("energy.features"),)),
    declared("objective", "tailed", needs=(Need("sampler.tail"),)),
)  # fmt: skip


def shelf(*more: Component) -> Host:
    found = Host()
    for component in (*SHELF, *more):
        found.register(component)
    return found


def resolution(
    *more: Component, event_shape: Any = None, run: Any = None, optim: Any = None, **asked: str
) -> Resolution:
    """Resolves what was asked as on the command line: `objective="a+b"`."""
    parts = {table: tuple(Part(name) for name in names.split("+")) for table, names in asked.items()}
    return resolve(Recipe(parts=parts, tables={"run": run or {}}, optim=optim or {}), shelf(*more), event_shape)


def used(recipe: Recipe, table: str) -> list[str]:
    return [part.use for part in recipe.parts.get(table, ())]


def refused(*more: Component, kind: type[EbmkitError] = CapabilityError, **asked: Any) -> str:
    with pytest.raises(kind) as caught:
        resolution(*more, **asked)
    return str(caught.value)


# --- defaults and what is added


def test_what_nobody_chose_has_a_default_with_a_note() -> None:
    found = resolution()
    assert {table: used(found.recipe, table) for table in found.recipe.parts} == {
        "data": ["fashion-mini"], "energy": ["resnet"], "buffer": ["replay"], "sampler": ["sgld"], "objective": ["cd"],
    }  # fmt: skip
    assert found.notes == (
        "added dataset fashion-mini (no other was chosen)", "added energy resnet (no other was chosen)",
        "added buffer replay (no other was chosen)", "added sampler sgld (no other was chosen)",
        "added objective cd (no other was chosen)", "temperature 1 (no sampler says otherwise)",
    )  # fmt: skip


def test_one_objective_resolves_to_its_method() -> None:
    found = resolution(objective="guide", run={"temperature": 0.01})
    assert used(found.recipe, "objective") == ["cd", "guide", "penalty"]
    assert used(found.recipe, "sampler") == ["shake", "sgld"]
    assert used(found.recipe, "wrapper") == ["latent-head"]
    assert found.recipe.part("energy").settings["head"] == "half-squared-norm"
    assert [note for note in found.notes if "no other was chosen" not in note] == [
        "energy resnet: head = 'half-squared-norm' (guide needs energy.half-squared-norm)",
        "added wrapper latent-head (guide needs energy.latent)",
        "added sampler shake (guide includes it)",
        "added objective cd (guide needs objective.fit)",
        "added objective penalty (guide includes it: it bounds)",
    ]


def test_what_two_parts_include_comes_once_and_names_both() -> None:
    found = resolution(objective="guide-two+guide", run={"temperature": 0.01})
    assert used(found.recipe, "sampler") == ["shake", "sgld"]
    assert "added objective penalty (guide and guide-two include it: it bounds)" in found.notes


def test_the_choice_of_the_user_beats_every_default() -> None:
    found = resolution(objective="guide", wrapper="other-head", energy="resnet", buffer="reservoir").recipe
    assert used(found, "wrapper") == ["other-head"]
    assert used(found, "buffer") == ["reservoir"]


def test_another_provider_on_the_shelf_changes_nothing() -> None:
    more = declared("wrapper", "a-head", gives=("energy.latent",))
    assert resolution(more, objective="guide") == resolution(objective="guide")


def test_a_named_part_stays_in_its_place_among_samplers() -> None:
    assert used(resolution(objective="guide", sampler="sgld+shake").recipe, "sampler") == ["sgld", "shake"]


@pytest.mark.parametrize(
    ("sampler", "order"),
    [
        ("sgld+sgld", ["shake", "sgld", "sgld"]),
        ("walk+sgld", ["walk", "shake", "sgld"]),
        ("walk", ["walk", "shake"]),
    ],
)
def test_an_include_goes_before_the_first_part_that_has_the_word(sampler: str, order: list[str]) -> None:
    found = resolution(declared("sampler", "walk"), objective="guide", sampler=sampler)
    assert used(found.recipe, "sampler") == order


def test_an_include_may_go_before_a_name() -> None:
    early = declared("objective", "early", includes=(Include("sampler", "shake", before="walk"),))
    found = resolution(early, declared("sampler", "walk"), objective="early", sampler="sgld+walk+sgld")
    assert used(found.recipe, "sampler") == ["sgld", "shake", "walk", "sgld"]


def test_includes_go_to_a_fixpoint() -> None:
    chain = [declared("objective", f"o{i}", includes=(Include("objective", f"o{i + 1}"),)) for i in range(5)]
    found = resolution(
        *chain, declared("objective", "o5", needs=(Need("energy.latent", "latent-head"),)), objective="o0"
    )
    assert used(found.recipe, "objective") == [f"o{i}" for i in range(6)]
    assert used(found.recipe, "wrapper") == ["latent-head"]


def test_an_included_buffer_beats_the_default_but_not_the_user() -> None:
    wants = declared("objective", "wants", includes=(Include("buffer", "reservoir"),))
    assert used(resolution(wants, objective="wants").recipe, "buffer") == ["reservoir"]
    found = resolution(wants, objective="wants", buffer="replay")
    assert used(found.recipe, "buffer") == ["replay"]
    assert "buffer reservoir left out (wants includes it): buffer replay was chosen" in found.notes


def test_two_included_buffers_are_an_error_that_names_both() -> None:
    wants = [
        declared("objective", f"wants-{name}", includes=(Include("buffer", name),)) for name in ("reservoir", "ring")
    ]
    said = refused(*wants, declared("buffer", "ring"), objective="wants-reservoir+wants-ring")
    assert "buffer reservoir (wants-reservoir includes it), and buffer ring (wants-ring includes it)" in said


# --- skip and refuse


def test_an_included_part_that_objects_is_left_out_with_its_reason() -> None:
    found = resolution(objective="guide", sampler="sgld+exactly")
    assert used(found.recipe, "objective") == ["cd", "guide"]
    assert used(found.recipe, "sampler") == ["sgld", "exactly"]
    assert "objective penalty left out (guide includes it: it bounds): at temperature 1 it diverges" in found.notes
    assert "sampler shake left out (guide includes it): an exact sampler is beside it" in found.notes


def test_a_named_part_is_not_skipped_but_may_be_refused() -> None:
    assert used(resolution(objective="guide+penalty", sampler="exactly").recipe, "objective") == [
        "cd",
        "guide",
        "penalty",
    ]
    said = refused(objective="guide", sampler="shake+exactly")
    assert said == "sampler shake cannot be used here: an exact sampler is beside it"


def test_a_default_that_is_refused_says_why_it_is_there() -> None:
    asks = declared("objective", "asks", needs=(Need("energy.odd", default="odd"),))
    odd = declared("wrapper", "odd", gives=("energy.odd",), refuse=lambda c, s: "never")
    assert refused(asks, odd, objective="asks") == (
        "wrapper odd cannot be used here (added: asks needs energy.odd): never"
    )


def test_rules_know_the_shape_of_the_data() -> None:
    flat = declared("objective", "flat", refuse=lambda c, s: "no image" if s.event_shape == (2,) else "")
    assert resolution(flat, energy="plain", objective="flat", event_shape=(1, 28, 28))
    vector = {"energy": "plain", "sampler": "sgld", "objective": "flat", "event_shape": (2,)}
    assert "no image" in refused(flat, **vector)


# --- coordinates and the temperature


def test_a_late_coordinate_changes_the_temperature_and_with_it_what_is_included() -> None:
    for names in ("guide+leveller", "leveller+guide"):
        found = resolution(objective=names)
        assert used(found.recipe, "coordinate") == ["level"]
        assert used(found.recipe, "wrapper") == ["by-level", "latent-head"]
        assert used(found.recipe, "sampler") == ["sgld", "visit"]
        assert used(found.recipe, "objective") == ["cd", "guide", "leveller"]
        assert found.recipe.table("run").temperature == 1.0


def test_a_coordinate_sets_what_it_needs_on_any_energy_that_has_it() -> None:
    found = resolution(coordinate="label")
    assert found.recipe.part("energy").settings["labels"] is True
    assert "energy resnet: labels = True (label needs energy.labels)" in found.notes
    other = declared("energy", "other", Net, gives=_gives)
    assert resolution(other, coordinate="label", energy="other").recipe.part("energy").settings["labels"] is True


@dataclass(frozen=True, kw_only=True)
class Moved:
    coordinate: str = "place"
    width: int = 1


def test_each_coordinate_gets_the_sampler_that_moves_it() -> None:
    draws = declared("sampler", "draws", Moved, traits=lambda c, s: SamplerTraits(moves={c.coordinate}))
    coordinates = [
        declared("coordinate", name, needs=(Need(f"moves.{name}", "draws", config={"coordinate": name}),))
        for name in ("place", "replica")
    ]
    for sampler in ("sgld", "sgld+draws"):
        found = resolution(draws, *coordinates, coordinate="replica+place", sampler=sampler).recipe
        assert used(found, "sampler") == ["sgld", "draws", "draws"]
        moved = {part.settings["coordinate"] for part in found.parts["sampler"] if part.use == "draws"}
        assert moved == {"place", "replica"}
    asked = Recipe(parts={"coordinate": (Part("replica"), Part("place"))}, overrides=(("sampler.draws.width", 2),))
    with pytest.raises(RecipeError, match=r"several parts have it\. Write them yourself"):
        resolve(asked, shelf(draws, *coordinates))


def test_parts_that_contradict_each_other_are_refused() -> None:
    shy = declared("objective", "shy", needs=(Need("sampler.exact", "exactly"),), skip=_beside_exact)
    asks = declared("objective", "asks", includes=(Include("objective", "shy"),))
    assert "The parts contradict each other: with objective shy, sampler exactly added" in (
        refused(shy, asks, objective="asks")
    )
    assert used(resolution(shy, asks, objective="asks+shy").recipe, "sampler") == ["sgld", "exactly"]


# --- settings that parts ask for


def config_of(name: str, **config: Any) -> Component:
    return declared("objective", name, includes=(Include("objective", "penalty", config=config),))


COLD = {"temperature": 0.01}


def test_an_include_may_set_what_the_user_did_not() -> None:
    found = resolution(config_of("a", weight=0.5), objective="a", run=COLD)
    assert found.recipe.parts["objective"][1].settings == {"weight": 0.5}
    named = resolution(config_of("a", weight=0.5), objective="a+penalty", run=COLD)
    assert named.recipe == found.recipe
    assert "objective penalty: weight = 0.5 (a asks for it)" in named.notes


def test_two_includers_that_differ_are_an_error_naming_both() -> None:
    more = (config_of("a", weight=0.5), config_of("b", weight=0.25))
    for names in ("a+b", "b+a"):
        assert refused(*more, objective=names, run=COLD) == (
            "a and b want different settings of objective penalty: weight = 0.5 and 0.25. "
            "Decide with --set objective.penalty.weight=…"
        )
    decided = from_mapping({"objective": [{"use": "a"}, {"use": "b"}], "run": COLD})
    found = resolve(decided.with_overrides([("objective.penalty.weight", 2.0)]), shelf(*more))
    assert found.recipe.parts["objective"][2].settings == {"weight": 2.0}


def test_includers_that_agree_or_leave_it_open_go_together() -> None:
    more = (config_of("a", weight=0.5), config_of("b", weight=0.5), config_of("c"))
    for names in ("a+b+c", "c+b+a"):
        assert resolution(*more, objective=names, run=COLD).recipe.parts["objective"][3].settings == {"weight": 0.5}


def test_includers_of_a_part_that_is_left_out_may_differ() -> None:
    more = (config_of("a", weight=0.5), config_of("b", weight=0.25))
    assert used(resolution(*more, objective="a+b").recipe, "objective") == ["a", "b"]


def test_a_part_is_asked_with_the_settings_that_it_gets() -> None:
    """What `heavy` brings along depends on a weight that a later part asks for."""
    heavy = declared("objective", "heavy", Weight, includes=lambda c, s: (
        (Include("objective", "light"),) if c.weight == 1.0 else ()
    ))  # fmt: skip
    first = declared("objective", "a", includes=(Include("objective", "heavy"), Include("objective", "z")))
    late = declared("objective", "z", includes=(Include("objective", "heavy", config={"weight": 2.0}),))
    found = resolution(heavy, first, late, declared("objective", "light"), objective="a")
    assert used(found.recipe, "objective") == ["a", "heavy", "z"]


def test_a_needed_setting_beats_a_default_and_never_the_user() -> None:
    asked = from_mapping({"energy": {"use": "resnet", "head": "linear"}, "objective": {"use": "guide"}})
    with pytest.raises(CapabilityError) as caught:
        resolve(asked, shelf())
    assert str(caught.value) == (
        "objective guide needs energy.half-squared-norm; found: energy.features, energy.latent, energy.linear. "
        "energy resnet gives it with head = 'half-squared-norm', but has head = 'linear', as was asked."
    )


def test_two_parts_that_need_different_settings_are_told_apart() -> None:
    odd = declared("objective", "odd", needs=(Need("energy.odd", config={"head": "odd"}),))
    said = refused(odd, objective="guide+odd")
    assert "objective odd needs energy.odd" in said
    assert "but has head = 'half-squared-norm' (guide needs energy.half-squared-norm)" in said


def test_a_setting_is_not_touched_where_the_word_is_given() -> None:
    gives = declared("wrapper", "squares", gives=("energy.half-squared-norm",))
    assert resolution(gives, objective="guide", wrapper="squares").recipe.part("energy").settings["head"] == "linear"


def test_a_provider_comes_with_the_settings_of_the_need() -> None:
    asks = declared("objective", "asks", needs=(Need("energy.latent", "latent-head", config={"weight": 0.5}),))
    found = resolution(asks, objective="asks")
    assert found.recipe.parts["wrapper"][0].settings == {"weight": 0.5}
    assert "added wrapper latent-head with weight = 0.5 (asks needs energy.latent)" in found.notes
    assert resolution(asks, objective="asks", wrapper="latent-head").recipe.parts["wrapper"][0].settings == {
        "weight": 1.0
    }


def test_the_grant_goes_to_one_part_whatever_the_order_of_naming() -> None:
    switch = [declared("wrapper", n, Net, gives=lambda c, s: ("energy.on",) * (c.head == "on")) for n in ("u", "v")]
    asks = declared("objective", "asks", needs=(Need("energy.on", config={"head": "on"}),))
    for names in ("u+v", "v+u"):
        found = resolution(*switch, asks, objective="asks", wrapper=names, energy="plain").recipe
        assert [part.settings["head"] for part in found.parts["wrapper"]] == ["on", "linear"]


def test_a_part_does_not_change_itself_to_meet_its_own_need() -> None:
    on: dict[str, Any] = {"config": Net, "gives": lambda c, s: ("energy.on",) * (c.head == "on")}
    selfish = declared("wrapper", "a-selfish", needs=(Need("energy.on", config={"head": "on"}),), **on)
    found = resolution(selfish, declared("wrapper", "switch", **on), wrapper="a-selfish+switch", energy="plain").recipe
    assert {part.use: part.settings["head"] for part in found.parts["wrapper"]} == {
        "a-selfish": "linear",
        "switch": "on",
    }


def test_a_setting_that_would_not_help_is_tried_once() -> None:
    hides = declared("wrapper", "hides", hides=("energy.half-squared-norm",))
    said = refused(hides, objective="guide", wrapper="hides")
    assert "wrapper hides hides it: leave one of them out." in said


# --- wrappers


def test_wrappers_are_put_in_order() -> None:
    for names in ("latent-head+anew+blind", "blind+latent-head+anew", "anew+blind+latent-head"):
        assert used(resolution(wrapper=names).recipe, "wrapper") == ["anew", "latent-head", "blind"]


def test_what_a_wrapper_hides_is_not_there_for_an_objective() -> None:
    said = refused(objective="featured", wrapper="blind")
    assert said.startswith("objective featured needs energy.features; found: energy.linear.")
    assert "wrapper blind hides it" in said


def test_a_wrapper_does_not_meet_its_own_need() -> None:
    assert "wrapper anew needs energy.features; found before anew: nothing of the kind" in refused(
        energy="plain", wrapper="anew"
    )


def test_wrappers_in_a_circle_are_refused() -> None:
    circle = (
        declared("wrapper", "u", needs=(Need("energy.v"),), gives=("energy.u",)),
        declared("wrapper", "v", needs=(Need("energy.u"),), gives=("energy.v",)),
    )
    assert "each have to come before another: u, v." in refused(*circle, wrapper="u+v")


# --- what cannot be met


def test_an_unmet_need_says_what_to_add() -> None:
    assert refused(objective="tailed", sampler="exactly") == (
        "objective tailed needs sampler.tail; found: sampler.exact. Add sampler sgld."
    )
    said = refused(declared("objective", "asks", needs=(Need("energy.latent"),)), objective="asks")
    assert said.endswith("Add wrapper latent-head or wrapper other-head.")
    said = refused(declared("objective", "asks", needs=(Need("point.level"),)), objective="asks")
    assert said == "objective asks needs point.level; found: nothing of the kind. Add coordinate level."


def test_an_unmet_need_says_with_what_settings_an_installed_part_would_do() -> None:
    said = refused(coordinate="label", energy="plain")
    assert said == (
        "coordinate label needs energy.labels; found: nothing of the kind. Add energy resnet with labels = True."
    )


def test_a_need_that_nothing_installed_meets() -> None:
    asks = declared("objective", "asks", needs=(Need("energy.moon"),))
    assert "No installed part gives it" in refused(asks, objective="asks")


def test_a_need_of_an_added_part_says_why_that_is_there() -> None:
    assert refused(objective="guide", energy="plain") == (
        "wrapper latent-head (added: guide needs energy.latent) needs energy.features; "
        "found before latent-head: nothing of the kind. Add energy resnet or wrapper anew."
    )


def test_disputed_providers_are_an_error_unless_one_is_named() -> None:
    more = (
        declared("objective", "a", needs=(Need("energy.latent", "latent-head"),)),
        declared("objective", "b", needs=(Need("energy.latent", "other-head"),)),
    )
    for names in ("a+b", "b+a"):
        assert "the providers are disputed: name latent-head or other-head" in refused(*more, objective=names)
    assert used(resolution(*more, objective="a+b", wrapper="other-head").recipe, "wrapper") == ["other-head"]


def test_an_absent_provider_or_include_says_who_wants_it() -> None:
    asks = declared("objective", "asks", needs=(Need("energy.odd", default="odd"),))
    said = refused(asks, kind=RecipeError, objective="asks")
    assert said.startswith("wrapper odd is wanted (asks needs energy.odd). There is no wrapper 'odd'.")
    asks = declared("objective", "asks", includes=(Include("sampler", "odd"),))
    assert refused(asks, kind=RecipeError, objective="asks").startswith("sampler odd is wanted (asks includes it).")


def test_a_declaration_that_fails_is_named() -> None:
    fails = declared("objective", "fails", needs=lambda c, s: c.absent)
    assert "objective 'fails': its needs(config, selection) failed" in refused(
        fails, kind=PluginError, objective="fails"
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"objective": "gudie"}, "There is no objective 'gudie'. Did you mean 'guide'?"),
        ({"objective": "cd+cd"}, "objective 'cd' is named twice"),
        ({"wrapper": "blind+blind"}, "wrapper 'blind' is named twice"),
        ({"energy": "resnet+plain"}, "A recipe has one [energy], found resnet, plain."),
        ({"run": {"stepz": 3}}, "[run] has no setting 'stepz'. Did you mean 'steps'?"),
        ({"run": {"steps": "3"}}, "[run]: steps: Input should be a valid integer, found '3'"),
        (
            {"optim": {"gude": {"lr": 1.0}}, "objective": "guide"},
            "Did you mean 'guide'? Owners can be: cd, energy, guide.",
        ),
        ({"optim": {"latent-head": {"lr": 1.0}}, "objective": "guide"}, "belong to the energy: write [optim.energy]"),
        ({"optim": {"energy": {"lr": "1"}}}, "[optim.energy]: lr: Input should be a valid number, found '1'"),
    ],
)
def test_wrong_requests_name_what_is_wrong(asked: dict[str, Any], said: str) -> None:
    assert said in refused(kind=RecipeError, **asked)


def test_wrong_settings_name_the_part() -> None:
    for settings, said in (
        ({"widht": 3}, "no setting 'widht'. Did you mean 'width'"),
        ({"width": 0}, "greater than 0"),
    ):
        with pytest.raises(RecipeError, match=r"\[energy\] resnet.*" + said):
            resolve(from_mapping({"energy": {"use": "resnet", **settings}}), shelf())


# --- optimisers


def test_optimisers_have_their_declared_settings_under_those_of_the_user() -> None:
    found = resolution(objective="guide", optim={"guide": {"momentum": 0.9}, "energy": {"lr": 0.25}}).recipe
    guide = found.owner("guide")
    assert (guide.use, guide.lr, guide.momentum, found.owner("energy").lr) == ("sgd", 0.5, 0.9, 0.25)
    assert set(found.optim) == {"energy", "guide"}


# --- resolved recipes


def without(recipe: Recipe, table: str, name: str) -> Recipe:
    return recipe.with_part(table, *(part for part in recipe.parts[table] if part.use != name))


@pytest.mark.parametrize(
    ("table", "name", "said"),
    [
        ("wrapper", "latent-head", "objective guide needs energy.latent"),
        ("objective", "cd", "objective guide needs objective.fit; found: nothing of the kind. Add objective cd."),
        ("energy", "resnet", "A run needs a [energy]"),
        ("buffer", "replay", "A run needs a [buffer]"),
        ("data", "fashion-mini", "A run needs a [data]"),
    ],
)
def test_a_resolved_recipe_is_checked_and_never_completed(table: str, name: str, said: str) -> None:
    complete = resolution(objective="guide").recipe
    with pytest.raises(CapabilityError) as caught:
        resolve(without(complete, table, name), shelf())
    assert said in str(caught.value)


def test_what_was_only_included_may_be_taken_out_again() -> None:
    complete = resolution(objective="guide", run=COLD).recipe
    smaller = without(complete, "objective", "penalty")
    assert resolve(smaller, shelf()) == Resolution(smaller, ())


def test_a_resolved_recipe_keeps_its_order_and_a_wrong_one_is_refused() -> None:
    complete = resolution(wrapper="latent-head+anew", energy="resnet").recipe
    swapped = complete.with_part("wrapper", *reversed(complete.parts["wrapper"]))
    assert used(resolve(swapped, shelf()).recipe, "wrapper") == ["latent-head", "anew"]
    levels = resolution(coordinate="level").recipe
    hidden = levels.with_part("wrapper", Part("blind"), Part("latent-head"), *levels.parts["wrapper"])
    with pytest.raises(CapabilityError, match=r"wrapper latent-head needs energy\.features; found"):
        resolve(hidden, shelf())


# --- core's own parts


def test_every_core_part_resolves_by_itself_or_says_what_it_lacks() -> None:
    for component, _ in host().all():
        table = "data" if component.kind == "dataset" else component.kind
        if table == "metric":
            continue
        try:
            found = resolve(Recipe(parts={table: (Part(component.name),)}), host()).recipe
        except (CapabilityError, RecipeError) as error:
            assert component.name in str(error)
        else:
            assert component.name in used(found, table)
            assert resolve(found, host()) == Resolution(found, ())


def test_labels_are_set_on_whatever_energy() -> None:
    for name in set(host().names("energy")) - {"convnet"}:  # has one energy, and none for each label
        parts = {"energy": (Part(name),), "coordinate": (Part("label"),)}
        assert resolve(Recipe(parts=parts), host()).recipe.part("energy").settings["labels"] is True


LEVELLED = (
    declared("coordinate", "depth", gives=("point.discrete", "point.noised")),
    declared("coordinate", "side", gives=("point.discrete",)),
    declared("coordinate", "kind", gives=("point.discrete",)),
    declared("wrapper", "every-value", gives=tuple(f"energy.levels.{name}" for name in ("side", "depth", "kind"))),
)


def gibbs_of(coordinate: str) -> Any:
    core = host().get("sampler", "gibbs")
    found = resolution(core, *LEVELLED, coordinate=coordinate, sampler="sgld+gibbs", wrapper="every-value").recipe
    return found.parts["sampler"][1].settings["coordinate"]


@pytest.mark.parametrize(("coordinate", "meant"), [("side", "side"), ("depth", "depth"), ("kind+depth+side", "depth")])
def test_gibbs_draws_the_coordinate_that_is_meant(coordinate: str, meant: str) -> None:
    assert gibbs_of(coordinate) == meant


def test_gibbs_asks_which_coordinate_is_meant() -> None:
    with pytest.raises(CapabilityError, match=r"it could draw kind or side\. Say which: sampler\.gibbs\.coordinate ="):
        gibbs_of("side+kind")
    core = host().get("sampler", "gibbs")
    with pytest.raises(CapabilityError, match=r"draws a discrete coordinate, and the run has none"):
        resolution(core, sampler="sgld+gibbs")
