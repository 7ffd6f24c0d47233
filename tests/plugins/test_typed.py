"""Settings as typed objects: a class of its own for each part, printed as it was made, checked when used."""

import ast
import dataclasses
import importlib
import pickle
from pathlib import Path

import pytest

import ebmkit
from ebmkit.builtin import ebmkit_components
from ebmkit.errors import RecipeError
from ebmkit.plugins.component import Component, NoConfig
from ebmkit.plugins.host import Host, host
from ebmkit.plugins.short_repr import short_repr
from ebmkit.recipes.recipe import Part, from_mapping, part_of
from ebmkit.samplers import Augment, Mala, Sgld

ROOMS = {
    "energy": "ebmkit.energies",
    "wrapper": "ebmkit.energies",
    "coordinate": "ebmkit.coordinates",
    "sampler": "ebmkit.samplers",
    "buffer": "ebmkit.buffers",
    "objective": "ebmkit.objectives",
    "dataset": "ebmkit.data",
    "metric": "ebmkit.metrics",
}
PLUGINS = (
    "ebmkit_clel",
    "ebmkit_diffusion",
    "ebmkit_energy_discrepancy",
    "ebmkit_improved_cd",
    "ebmkit_jem",
    "ebmkit_recovery",
)
CORE = [pytest.param(part, id=f"{part.kind}-{part.name}") for part in ebmkit_components()]


def bundled() -> list[object]:
    """Returns every part of the bundled plugins with its package."""
    found = []
    for package in PLUGINS:
        for part in importlib.import_module(f"{package}.declarations").COMPONENTS:
            found.append(pytest.param(part, package, id=f"{package}-{part.name}"))
    return found


def has_a_name_in(package: str, part: Component) -> None:
    module = importlib.import_module(package)
    short = part.config.__name__.removesuffix("Config")
    assert short in module.__all__
    assert getattr(module, short) is part.config
    assert repr(part.config()) == f"{short}()"


@pytest.mark.parametrize("part", CORE)
def test_every_part_of_core_can_be_written_as_an_object(part: Component) -> None:
    has_a_name_in(ROOMS[part.kind], part)
    assert host().component_of(part.kind, part.config()) is part
    assert host().component_of(None, part.config()) is part


@pytest.mark.parametrize(("part", "package"), bundled())
def test_every_part_of_a_plugin_can_be_written_as_an_object(part: Component, package: str) -> None:
    has_a_name_in(package, part)


@pytest.mark.parametrize("package", [*ROOMS.values(), *PLUGINS])
def test_a_type_checker_sees_the_classes(package: str) -> None:
    """A name of `__all__` that is imported at the top of the file is an export to mypy and pyright."""
    source = Path(str(importlib.import_module(package).__file__)).read_text(encoding="utf-8")
    exports = importlib.import_module(package).__all__
    imported = {
        alias.asname: alias.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert imported == {name: f"{name}Config" for name in exports}


def test_a_part_prints_as_it_was_made_and_can_be_copied() -> None:
    made = Mala(step_size=0.05, moves=20, accept=(0.5, 0.7))
    assert repr(made) == "Mala(step_size=0.05, accept=(0.5, 0.7))"
    assert eval(repr(made)) == made
    assert pickle.loads(pickle.dumps(made)) == made
    assert repr(dataclasses.replace(made, moves=3)) == "Mala(moves=3, step_size=0.05, accept=(0.5, 0.7))"


def test_true_is_not_taken_for_the_default_one() -> None:
    assert repr(Mala(moves=True)) == "Mala(moves=True)"


def test_a_part_is_built_from_its_object_as_from_its_name() -> None:
    by_name = ebmkit.build("sampler", "mala", step_size=0.25, moves=3)
    by_object = ebmkit.build(Mala(step_size=0.25, moves=3))
    assert type(by_object) is type(by_name)
    assert by_object.config == by_name.config


@short_repr
@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Unheard:
    """Settings that no part has: other tests offer parts of theirs."""


def test_the_packages_are_there_with_ebmkit_alone() -> None:
    assert repr(ebmkit.energies.ResNet(widths=(8, 8))) == "ResNet(widths=(8, 8))"
    assert {"energies", "samplers", "buffers", "objectives", "coordinates", "data"} <= set(dir(ebmkit))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Mala(step_size=-1.0), "sampler mala: step_size: Input should be greater than 0, found -1"),
        (Mala(step_size="big"), "sampler mala: step_size: Input should be a valid number, found 'big'"),  # type: ignore[arg-type]
        (Mala(step_size=None), "sampler mala: step_size cannot be None. Leave it out for its default."),  # type: ignore[arg-type]
        (Mala, "found the class Mala. Write Mala()"),
        (Unheard(), "found Unheard\\(\\), whose class Unheard no part has declared as its settings"),
        (3, "found 3, whose class int no part"),
        (ebmkit.energies.Mlp(), "sampler should be given, found Mlp\\(\\), the settings of energy 'mlp'"),
    ],
)
def test_a_wrong_object_is_told_by_the_words_of_a_recipe(config: object, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        part_of("sampler", config)  # type: ignore[arg-type]


def test_nothing_is_set_beside_an_object() -> None:
    with pytest.raises(RecipeError, match=r"Mala\(\) holds all settings of its part, but moves was given beside it"):
        ebmkit.build(Mala(), moves=3)  # type: ignore[call-overload]


def test_settings_of_two_parts_need_a_name() -> None:
    fresh = Host()
    for name in ("one", "two"):
        fresh.register(Component(kind="objective", name=name, build="nowhere:nothing", summary=""))
    with pytest.raises(RecipeError, match="could be objective 'one' or objective 'two'"):
        fresh.component_of("objective", NoConfig())


def test_a_recipe_holds_objects_beside_tables() -> None:
    recipe = from_mapping(
        {
            "data": ebmkit.data.Toy(density="moons"),
            "energy": {"use": "mlp"},
            "sampler": [Augment(), Sgld(moves=5)],
            "objective": ebmkit.objectives.Cd(),
        }
    )
    assert recipe.part("data") == Part("toy", {"density": "moons"})
    assert recipe.parts["sampler"] == (Part("augment"), Part("sgld", {"moves": 5}))
    assert recipe.parts["objective"] == (Part("cd"),)


def test_none_is_kept_where_it_is_the_default() -> None:
    assert part_of("sampler", Sgld(step_size=None)) == Part("sgld")
