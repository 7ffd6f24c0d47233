"""A run has one temperature: 1 beside an exact sampler or a level, else that of the Langevin part."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.errors import CapabilityError
from ebmkit.plugins.component import Component
from ebmkit.plugins.host import Host, host
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.recipe import Recipe, from_mapping
from ebmkit.recipes.resolver.resolve import resolve


def shelf() -> Host:
    """Core, an exact sampler and a level."""
    found = Host()
    for component, _ in host().all():
        found.register(component)
    found.register(
        Component(kind="sampler", name="exactly", build="n:x", summary="", traits=SamplerTraits(adjusted=True))
    )
    if "level" not in found.names("coordinate"):
        found.register(Component(kind="coordinate", name="level", build="n:x", summary=""))
    return found


SHELF = shelf()


def resolved(samplers: list[dict[str, Any]], *, coordinate: str = "", **run: Any) -> Recipe:
    more = {"coordinate": [{"use": coordinate}]} if coordinate else {}
    asked = from_mapping({"energy": {"use": "mlp"}, "sampler": samplers, "run": run, **more})
    return resolve(asked, SHELF).recipe


def sgld(recipe: Recipe) -> tuple[float, float]:
    settings = next(p for p in recipe.parts["sampler"] if p.use == "sgld").settings
    return settings["step_size"], settings["noise"]


def temperature(recipe: Recipe) -> float:
    value: float = recipe.table("run").temperature
    return value


@pytest.mark.parametrize(
    ("settings", "expected", "step_and_noise"),
    [
        ({}, 5e-9, (100.0, 0.001)),
        ({"step_size": 10.0}, 5e-8, (10.0, 0.001)),
        ({"noise": 0.01}, 5e-7, (100.0, 0.01)),
        ({"step_size": 0.5, "noise": 1.0}, 1.0, (0.5, 1.0)),
        ({"noise": 0.0}, 5e-9, (100.0, 0.0)),
    ],
)
def test_unset_it_is_that_of_the_langevin_part(
    settings: dict[str, float], expected: float, step_and_noise: tuple[float, float]
) -> None:
    recipe = resolved([{"use": "sgld", **settings}])
    assert temperature(recipe) == pytest.approx(expected)
    assert sgld(recipe) == pytest.approx(step_and_noise)


@pytest.mark.parametrize("more", [{"samplers": [{"use": "exactly"}]}, {"coordinate": "level"}])
def test_beside_an_exact_sampler_or_a_level_it_is_one(more: dict[str, Any]) -> None:
    recipe = resolved([{"use": "sgld"}, *more.pop("samplers", [])], **more)
    assert temperature(recipe) == 1.0
    step_size, noise = sgld(recipe)
    assert noise**2 / (2 * step_size) == pytest.approx(1.0)


def test_a_level_that_nobody_moves_among_other_samplers_counts() -> None:
    assert temperature(resolved([{"use": "exactly"}])) == 1.0
    assert temperature(resolved([{"use": "exactly"}], coordinate="level")) == 1.0


@given(st.floats(1e-9, 10))
def test_the_users_temperature_beats_all(value: float) -> None:
    for samplers in ([{"use": "sgld"}], [{"use": "sgld"}, {"use": "exactly"}]):
        recipe = resolved(samplers, temperature=value)
        assert temperature(recipe) == value
        step_size, noise = sgld(recipe)
        assert noise**2 / (2 * step_size) == pytest.approx(value)


DISAGREEING: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
    ([{"use": "sgld", "step_size": 0.5, "noise": 0.1}, {"use": "exactly"}], {}, "here 1 (sampler exactly is exact)"),
    ([{"use": "sgld", "step_size": 0.5, "noise": 0.1}], {"coordinate": "level"}, "here 1 (coordinate level noises x)"),
    ([{"use": "sgld", "step_size": 0.5, "noise": 0.1}], {"temperature": 0.5}, "here 0.5 (run.temperature)"),
    (
        [{"use": "sgld", "step_size": 0.5, "noise": 0.2}, {"use": "sgld", "step_size": 0.5, "noise": 0.1}],
        {},
        "here 0.04 (σ²/2η of sampler sgld)",
    ),
]


@pytest.mark.parametrize(("samplers", "more", "said"), DISAGREEING)
def test_a_disagreement_is_an_error_with_both(samplers: list[dict[str, Any]], more: dict[str, Any], said: str) -> None:
    with pytest.raises(CapabilityError) as caught:
        resolved(samplers, **more)
    assert said in str(caught.value)
    assert "settings of sampler sgld mean 0.01" in str(caught.value)
    assert "set run.temperature = 0.01" in str(caught.value)


@given(
    step_size=st.none() | st.floats(1e-3, 1e3), noise=st.none() | st.floats(1e-4, 1.0),
    asked=st.none() | st.floats(1e-9, 10), exact=st.booleans(),
)  # fmt: skip
def test_the_settled_settings_mean_the_temperature_of_the_run_or_it_is_refused(
    step_size: float | None, noise: float | None, asked: float | None, exact: bool
) -> None:
    langevin: dict[str, Any] = {"use": "sgld", "step_size": step_size, "noise": noise}
    try:
        recipe = resolved([langevin, *([{"use": "exactly"}] if exact else [])], temperature=asked)
    except CapabilityError:
        return
    step_size, noise = sgld(recipe)
    assert noise**2 / (2 * step_size) == pytest.approx(temperature(recipe), rel=1e-5)
    assert resolve(recipe, SHELF).recipe == recipe


def test_agreement_needs_no_equal_digits() -> None:
    assert temperature(resolved([{"use": "sgld", "step_size": 0.3, "noise": (0.6) ** 0.5}, {"use": "exactly"}])) == 1.0


def test_a_free_langevin_part_follows_one_that_is_fixed() -> None:
    recipe = resolved([{"use": "sgld"}, {"use": "sgld", "step_size": 0.5, "noise": 0.1}])
    assert temperature(recipe) == pytest.approx(0.01)
    assert sgld(recipe)[1] ** 2 / (2 * sgld(recipe)[0]) == pytest.approx(0.01)


@pytest.mark.parametrize("settings", [{}, {"noise": 0.01}, {"step_size": 3.0}, {"noise": 0.0}])
def test_a_settled_recipe_settles_to_itself(settings: dict[str, float]) -> None:
    recipe = resolved([{"use": "sgld", **settings}])
    assert resolve(recipe, SHELF).recipe == recipe


def test_where_the_temperature_comes_from_is_told() -> None:
    asked = from_mapping({"energy": {"use": "mlp"}, "sampler": {"use": "sgld"}})
    assert "temperature 5e-09 (σ²/2η of sampler sgld)" in resolve(asked, SHELF).notes
