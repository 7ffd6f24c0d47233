"""Laws of recipes whose objectives need no chains: nothing of samplers or buffers is added or asked."""

from __future__ import annotations

from typing import Any

import pytest

from ebmkit.errors import CapabilityError
from ebmkit.plugins.component import Component, Include, Need
from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import Recipe, from_mapping
from ebmkit.recipes.resolver.resolve import resolve


def made(name: str, **fields: Any) -> Component:
    return Component(kind=fields.pop("kind", "objective"), name=name, build="a:b", summary="s", **fields)


@pytest.fixture
def house() -> Host:
    host = Host()
    host.discover()
    host.register(made("match", negatives=False))
    host.register(made("fitted", negatives=False, needs=(Need("objective.fit", default="cd"),)))
    host.register(made("greedy", negatives=False, includes=(Include("sampler", "mala"), Include("buffer", "none"))))
    host.register(made("needy", negatives=False, needs=(Need("moves.label", default="gibbs"), Need("buffer.replay"))))
    host.register(made("either", negatives=lambda config, selection: "label" in selection.coordinates))
    return host


def found(house: Host, *objectives: str, shape: tuple[int, ...] = (2,), **tables: Any) -> Recipe:
    asked = {"data": {"use": "toy"}, "energy": {"use": "mlp"}, "objective": [{"use": name} for name in objectives]}
    return resolve(from_mapping({**asked, **tables}), house, shape).recipe


@pytest.mark.parametrize("name", ["match", "greedy", "needy", "either"])
def test_no_sampler_and_no_buffer_is_added(house: Host, name: str) -> None:
    recipe = found(house, name)
    assert not {"sampler", "buffer"} & recipe.parts.keys() and recipe.table("run").temperature == 1.0
    assert resolve(recipe, house).recipe == recipe


@pytest.mark.parametrize(
    ("objectives", "tables"),
    [(("fitted",), {}), (("match", "cd"), {}), (("either",), {"coordinate": [{"use": "label"}]})],
)
def test_one_objective_that_needs_chains_brings_them(
    house: Host, objectives: tuple[str, ...], tables: dict[str, Any]
) -> None:
    assert {"sampler", "buffer"} <= found(house, *objectives, **tables).parts.keys()


def test_the_temperature_is_one_whatever_samplers_are_usual_unless_it_is_told(house: Host) -> None:
    images: dict[str, Any] = {"data": {"use": "fashion-mini"}, "energy": {"use": "resnet"}}
    images["shape"] = (1, 28, 28)
    named = found(house, "match", sampler=[{"use": "sgld"}], **images)
    assert named.table("run").temperature == 1.0 and [p.use for p in named.parts["sampler"]] == ["sgld"]
    assert found(house, "match", run={"temperature": 0.5}, **images).table("run").temperature == 0.5


def test_a_buffer_that_nothing_fills_is_refused(house: Host) -> None:
    with pytest.raises(CapabilityError, match=r"buffer replay keeps chains.*\(match\)"):
        found(house, "match", buffer={"use": "replay"})


def test_a_recipe_that_lost_its_sampler_is_refused_where_chains_are_needed(house: Host) -> None:
    whole = found(house, "cd")
    parts = {table: its for table, its in whole.parts.items() if table != "sampler"}
    with pytest.raises(CapabilityError, match=r"needs a \[sampler\]"):
        resolve(Recipe(parts=parts, tables=whole.tables, optim=whole.optim, resolved=True), house)
