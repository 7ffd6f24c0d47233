"""What does not train imports no torch, and answers at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ebmkit

HEAVY = ("torch", "kornia", "numpy", "torchvision", "matplotlib", "tensorboard", "datasets")
LISTING = """
from ebmkit.plugins.host import host
found = host()
list(found.all()), list(found.recipes()), found.not_loaded(), found.find("mlp"), found.names("energy")
"""
ASKING = """
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import from_mapping, to_toml
from ebmkit.recipes.resolver.resolve import resolve
to_toml(resolve(from_mapping({"energy": {"use": "mlp"}}), host()).recipe)
"""


def imported(script: str, *options: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(ebmkit.__file__).parents[1])}
    script = f"{script}\nimport sys\nprint(' '.join(sys.modules))"
    run = subprocess.run(
        [sys.executable, *options, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    return run.stdout


DECLARING = "import ebmkit; dir(ebmkit)\nfrom ebmkit import Component, EbmkitError, Include, Need, Selection, hookimpl"


@pytest.mark.parametrize("script", [DECLARING, LISTING, ASKING])
def test_nothing_heavy_is_imported(script: str) -> None:
    assert set(imported(script).split()) & set(HEAVY) == set()


def test_the_package_alone_imports_nothing_of_its_own() -> None:
    own = [name for name in imported("import ebmkit").split() if name.startswith("ebmkit.")]
    assert own == ["ebmkit.version"]


def test_the_host_needs_no_validation_library() -> None:
    assert "pydantic" not in imported(LISTING).split()


@pytest.mark.parametrize("name", sorted(ebmkit.__all__))
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(ebmkit, name) is not None
    assert name in dir(ebmkit)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'enregy'"):
        ebmkit.enregy  # noqa: B018
