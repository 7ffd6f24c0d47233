"""What the package offers, and that its recipes resolve."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import ebmkit
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import load_build
from ebmkit.recipes.recipe import from_toml
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.testing import conformance

RECIPES = ["energy-discrepancy-fashion", "energy-discrepancy-ising", "energy-discrepancy-rings"]

test_conforms = conformance("ebmkit-energy-discrepancy")


def plugin() -> Any:
    return next(p for p in host().plugins if p.name == "energy-discrepancy")


def test_declaring_it_imports_no_torch() -> None:
    code = "import sys, ebmkit_energy_discrepancy.declarations as p; p.RECIPES; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_its_part_can_be_built_and_cited() -> None:
    assert not plugin().error
    for component in plugin().components:
        assert callable(load_build(component)) and "2307.06431" in component.cite


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_resolves_and_stays_as_it_is(name: str) -> None:
    assert sorted(plugin().recipes) == RECIPES
    complete = resolve(ebmkit.as_recipe(name), host()).recipe
    assert [part.use for part in complete.parts["objective"]] == ["energy-discrepancy"]
    assert "sampler" not in complete.parts and "buffer" not in complete.parts
    assert resolve(complete, host()).recipe == complete


def test_beside_chains_it_needs_no_other_objective_and_takes_none_along() -> None:
    asked = '[data]\nuse = "toy"\n[[objective]]\nuse = "energy-discrepancy"\n[[objective]]\nuse = "cd"\n'
    complete = resolve(from_toml(asked), host(), (2,)).recipe
    assert [part.use for part in complete.parts["objective"]] == ["cd", "energy-discrepancy"]
    assert [part.use for part in complete.parts["sampler"]] == ["mala"]
