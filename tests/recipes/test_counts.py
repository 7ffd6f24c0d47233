"""A whole number that can only be a slip is refused by name, whichever setting it is of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, get_args, get_type_hints

import pytest
from annotated_types import Ge, Le

from ebmkit.errors import RecipeError
from ebmkit.plugins.host import host
from ebmkit.recipes.counts import MOST
from ebmkit.recipes.settings import validated
from ebmkit.recipes.tables import TABLES, OptimConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    n: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    n: int = 1
    sizes: tuple[int, ...] | None = None
    seed: Annotated[int, Le(2**62)] = 0
    rate: float = 1.0
    inner: tuple[Inner, ...] = field(default_factory=tuple)


@pytest.mark.parametrize(
    "settings", [{"n": 10**18}, {"n": -(10**18)}, {"sizes": [1, 10**10]}, {"n": 1e12}, {"inner": [{"n": 10**12}]}]
)
def test_what_can_only_be_a_slip_is_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(
        RecipeError, match=rf"\[x\]: {next(iter(settings))} = .* can only be a slip: .* up to 1,000,000,000"
    ):
        validated(Config, settings, "[x]")


@pytest.mark.parametrize("settings", [{"n": MOST}, {"sizes": [10**7]}, {"seed": 10**18}, {"rate": 1e18}])
def test_large_numbers_with_a_use_stay(settings: dict[str, Any]) -> None:
    assert validated(Config, settings, "[x]")


def whole_numbers() -> Iterator[tuple[str, type[Any], str]]:
    """Yields where, config class and name of every setting that takes a whole number."""
    of_parts = [(f"{component.kind} {component.name}", component.config) for component, _ in host().all()]
    for where, config in [*TABLES.items(), ("optim", OptimConfig), *of_parts]:
        hints = get_type_hints(config, include_extras=True)
        yield from ((where, config, f.name) for f in fields(config) if is_count(hints[f.name]))


def is_count(hint: Any) -> bool:
    return hint is int or any(is_count(inner) for inner in get_args(hint) if not isinstance(inner, Ge))


HAVE_A_USE = {"seed", "every", "max_bytes"}
"""Names of settings whose largest values mean something: any seed, never, no limit."""


def test_no_count_of_core_or_a_bundled_plugin_takes_a_quintillion() -> None:
    asked = list(whole_numbers())
    assert len(asked) > 100
    for where, config, name in asked:
        if name in HAVE_A_USE:
            continue
        for value in (10**18, [10**18]):
            with pytest.raises(RecipeError):
                validated(config, {name: value}, where)


def test_steps_of_ten_million_and_a_checkpoint_never_are_taken() -> None:
    assert validated(TABLES["run"], {"steps": 10**7, "seed": 2**62}, "[run]")
    assert validated(TABLES["checkpoint"], {"every": 10**18}, "[checkpoint]")
