"""Settings that parts ask for of others, and the order of wrappers."""

from typing import Any

import pytest

from ebmkit.errors import CapabilityError
from ebmkit.plugins.component import Component, Include, Need
from ebmkit.recipes.recipe import from_mapping
from ebmkit.recipes.resolver.resolve import resolve
from tests.recipes.resolver.shelf import COLD, Net, Weight, declared, refused, resolution, shelf, used

# --- settings that parts ask for


def config_of(name: str, **config: Any) -> Component:
    return declared("objective", name, includes=(Include("objective", "penalty", config=config),))


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
