"""What the package offers, what its parts bring along, and which mixes are refused with which words."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import ebmkit
from ebmkit import CapabilityError
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import load_build
from ebmkit.recipes.recipe import from_toml
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.testing import conformance

RECIPES = ["jem-fashion", "jem-moons"]
ASKED = '[[objective]]\nuse = "jem"\n'

test_conforms = conformance("ebmkit-jem")


def plugin() -> Any:
    return next(p for p in host().plugins if p.name == "jem")


def resolved(text: str, shape: tuple[int, ...] = (1, 28, 28)) -> Any:
    return resolve(from_toml(text), host(), shape).recipe


def names(recipe: Any, table: str) -> list[str]:
    return [part.use for part in recipe.parts.get(table, ())]


def test_declaring_it_imports_no_torch() -> None:
    code = "import sys, ebmkit_jem.declarations as p; p.RECIPES; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_part_can_be_built_and_cited() -> None:
    assert not plugin().error
    for component in plugin().components:
        assert callable(load_build(component)) and "1912.03263" in component.cite


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_resolves_and_stays_as_it_is(name: str) -> None:
    assert sorted(plugin().recipes) == RECIPES
    complete = resolve(ebmkit.as_recipe(name), host()).recipe
    assert names(complete, "objective") == ["cd", "jem"] and names(complete, "wrapper") == ["logit-head"]
    assert resolve(complete, host()).recipe == complete


def test_the_objective_alone_brings_its_head_and_cd() -> None:
    complete = resolved(ASKED)
    assert names(complete, "objective") == ["cd", "jem"] and names(complete, "wrapper") == ["logit-head"]
    assert names(complete, "sampler") == ["sgld"] and names(complete, "buffer") == ["replay"]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ('[[objective]]\nuse = "clel"\n', r"energy\.half-squared-norm.*logit-head hides it"),
        ('[[coordinate]]\nuse = "level"\n', r"energy\.levels\.level.*logit-head hides it"),
        ('[[objective]]\nuse = "diffusion-recovery"\n', r"energy\.recovery.*logit-head hides it"),
    ],
    ids=["clel", "level", "recovery"],
)
def test_what_needs_the_energy_of_the_backbone_is_refused(more: str, found: str) -> None:
    if more.split('"')[1] not in {name for kind in ("objective", "coordinate") for name in host().names(kind)}:
        pytest.skip("another package has it")
    with pytest.raises(CapabilityError, match=found):
        resolved(ASKED + more)


def test_a_gaussian_base_comes_outside_the_head_which_drops_the_energy_inside() -> None:
    text = (
        '[data]\nuse = "toy"\n[energy]\nuse = "mlp"\n[[objective]]\nuse = "jem"\n[[wrapper]]\nuse = "gaussian-base"\n'
    )
    assert names(resolved(text, (2,)), "wrapper") == ["logit-head", "gaussian-base"]
