"""What is said where a recipe cannot be completed, and of resolved recipes."""

from typing import Any

import pytest

from ebmkit.errors import CapabilityError, PluginError, RecipeError
from ebmkit.plugins.component import Include, Need
from ebmkit.recipes.recipe import Part, Recipe, from_mapping
from ebmkit.recipes.resolver.resolve import Resolution, resolve
from tests.recipes.resolver.shelf import COLD, declared, refused, resolution, shelf, used

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
