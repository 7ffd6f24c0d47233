"""From what was named to a complete recipe, one rule at a time: defaults, what is added, what is left out."""

from dataclasses import dataclass

import pytest

from ebmkit.errors import RecipeError
from ebmkit.plugins.component import Include, Need
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.recipes.resolver.resolve import resolve
from tests.recipes.resolver.shelf import (
    Net,
    _beside_exact,
    _gives,
    declared,
    refused,
    resolution,
    shelf,
    used,
)

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


# --- optimisers


def test_optimisers_have_their_declared_settings_under_those_of_the_user() -> None:
    found = resolution(objective="guide", optim={"guide": {"momentum": 0.9}, "energy": {"lr": 0.25}}).recipe
    guide = found.owner("guide")
    assert (guide.use, guide.lr, guide.momentum, found.owner("energy").lr) == ("sgd", 0.5, 0.9, 0.25)
    assert set(found.optim) == {"energy", "guide"}
