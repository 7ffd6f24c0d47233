"""docs/samplers.md keeps step with the registry: a section for every sampler of core, which says what it declares."""

import re
from pathlib import Path

import pytest

from ebmkit.builtin import ebmkit_components
from tests.samplers.registry import words

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "samplers.md").read_text(encoding="utf-8")
PICTURES = ROOT / "docs" / "images" / "samplers"
LABELS = ("Law", "Move", "Source", "Cost", "Tail", "Settings", "Use it")
SAMPLERS = {component.name: component for component in ebmkit_components() if component.kind == "sampler"}


def section(name: str) -> str:
    found = re.search(rf"^## `{re.escape(name)}`$(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/samplers.md has no section '## `{name}`'"
    return found[1]


def line(name: str, label: str) -> str:
    found = re.search(rf"^- \*\*{label}\*\*:? (.*?)(?=^- |\Z)", section(name), re.MULTILINE | re.DOTALL)
    assert found, f"the section of {name} does not say its {label}"
    return found[1]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_of_core_has_its_section(name: str) -> None:
    assert all(line(name, label) for label in LABELS) and "**Not**" in line(name, "Use it")
    assert f"| [`{name}`](#{name}) |" in PAGE


@pytest.mark.parametrize("name", SAMPLERS)
def test_it_says_what_the_sampler_declares(name: str) -> None:
    declared = words(SAMPLERS[name])
    kinds = [kind for kind in ("exact", "unadjusted") if f"sampler.{kind}" in declared]
    assert line(name, "Law").startswith(kinds[0] if kinds else "none")
    assert line(name, "Tail").startswith("yes" if "sampler.tail" in declared else "no")


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_settings_it_names_exist(name: str) -> None:
    fields = SAMPLERS[name].config.__dataclass_fields__
    assert set(re.findall(r"`([a-z_]+)`", line(name, "Settings"))) <= {*fields, "levels", "mgms"}


@pytest.mark.parametrize("name", SAMPLERS)
def test_it_has_a_small_picture(name: str) -> None:
    assert f"](images/samplers/{name}.png)" in section(name)
    assert 0 < (PICTURES / f"{name}.png").stat().st_size < 40_000


def test_a_sequence_which_nobody_declares_is_explained_too() -> None:
    assert line("sequence", "Law") and line("sequence", "Tail") and "sequence" not in SAMPLERS
