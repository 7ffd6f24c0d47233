"""The declarations are sound, and cost no import of torch."""

import subprocess
import sys
from dataclasses import MISSING, fields
from importlib import import_module

import pytest

from ebmkit.data.declarations import COMPONENTS
from ebmkit.errors import RecipeError
from ebmkit.recipes.settings import validated

FIRST = {
    "fashion-mini": "split",
    "fashion-mnist": "root",
    "mnist": "root",
    "cifar10": "root",
    "npz": "path",
    "folder": "path",
    "toy": "density",
    "gaussian-mixture": "dimensions",
    "toy-discrete": "law",
    "hf": "name",
    "hf-stream": "name",
    "shards": "path",
}


def test_the_names_and_what_their_argument_sets():
    assert {c.name: fields(c.config)[0].name for c in COMPONENTS} == FIRST


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_every_builder_exists_and_every_setting_has_a_default(component):
    module, _, name = component.build.partition(":")
    assert callable(getattr(import_module(module), name))
    assert component.kind == "dataset" and component.summary
    assert all(f.default is not MISSING for f in fields(component.config))
    assert validated(component.config, {}, "[data]") == component.config()


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_every_setting_is_documented(component):
    assert all(f"    {f.name}: " in component.config.__doc__ for f in fields(component.config))


@pytest.mark.parametrize("component", [c for c in COMPONENTS if c.name != "toy"], ids=lambda c: c.name)
@pytest.mark.parametrize("wrong", [{"split": "validation"}, {"limit": -1}])
def test_settings_are_checked(component, wrong):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        validated(component.config, wrong, "[data]")


def test_declaring_imports_neither_torch_nor_numpy():
    code = "import sys, ebmkit.data.declarations; print(sorted({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
