from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.coordinates.label import Label
from ebmkit.coordinates.momentum import Momentum
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins import host as plugins
from ebmkit.plugins.component import Component
from ebmkit.sampling.given import class_index, condition, givable, latent_direction, parse_terms, trained_strength
from ebmkit.sampling.held import held_by

LATENT = frozenset({"latent"})


def run_of(class_names: tuple[str, ...] = (), n_classes: int = 10, **attributes: Any) -> Any:
    """A run of which only what a condition asks is there."""
    data = DataSpec(event_shape=(2,), value_range=None, n_classes=n_classes, class_names=class_names, n_data=1)
    coordinates = (Label(n_classes), Momentum())
    whole = {"energy": object(), "objectives": {}, "coordinates": coordinates, "data": data, **attributes}
    return SimpleNamespace(**whole)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(-40, 40)), min_size=1, max_size=5))
def test_weighted_classes_are_read_back(terms: list[tuple[int, int]]) -> None:
    text = ",".join(f"class:{label}*{weight / 8}" for label, weight in terms)
    assert parse_terms(text) == [("class", str(label), weight / 8) for label, weight in terms]


def test_a_weight_may_be_left_out_and_a_file_may_hold_a_star() -> None:
    assert parse_terms("class:3, image:a*b.png, image:a*b.png*-2") == [
        ("class", "3", 1.0),
        ("image", "a*b.png", 1.0),
        ("image", "a*b.png", -2.0),
    ]


@pytest.mark.parametrize("text", ["", "class:", "klass:3", "3", "class:3,", "*2"])
def test_what_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(RecipeError, match=r"class:K, image:FILE"):
        parse_terms(text)


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf", "1e999", "1e39"])
def test_a_weight_that_is_not_finite_is_named(weight: str) -> None:
    with pytest.raises(RecipeError, match=rf"'class:3\*{weight}'.*finite"):
        parse_terms(f"class:1*2,class:3*{weight}")


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), -float("inf"), 1e39])
def test_a_strength_that_is_not_finite_is_named(strength: float) -> None:
    with pytest.raises(RecipeError, match="--given-strength") as refused:
        condition(run_of(energy=SimpleNamespace(abilities=LATENT)), {"latent": "class:3"}, strength)
    assert str(strength) in str(refused.value) and refused.value.exit_status == 2


@given(st.permutations([str(i) for i in range(6)]))
def test_a_class_is_looked_up_by_name_before_its_number(names: list[str]) -> None:
    run = run_of(tuple(names), len(names))
    for i, name in enumerate(names):
        assert class_index(run, name, "class:…") == i == int(condition(run, {"label": name}, None)["label"])


def test_a_class_has_a_number_where_no_name_is_the_same() -> None:
    folders = run_of(("1", "10", "2"), 3)
    assert [class_index(folders, text, "class:…") for text in ("1", "10", "2", "0")] == [0, 1, 2, 0]
    assert [class_index(run_of(), text, "class:…") for text in ("0", "9", "٣")] == [0, 9, 3]
    assert int(condition(run_of(("cat", "dog"), 2), {"label": 1}, None)["label"]) == 1  # type: ignore[dict-item]


@pytest.mark.parametrize("text", ["10", "-1", "²", "1.0", "", "cat", "9" * 5000])
def test_a_class_that_is_not_there_is_told(text: str) -> None:
    for asked in (lambda: class_index(run_of(), text, "class:x"), lambda: condition(run_of(), {"label": text}, None)):
        with pytest.raises(RecipeError, match="Classes: 0 to 9"):
            asked()


def test_a_class_that_is_misspelt_is_named() -> None:
    with pytest.raises(RecipeError, match=r"class:bag is unknown\. Did you mean 'Bag'"):
        class_index(run_of(("Coat", "Bag"), 2), "bag", "class:bag")


def test_only_discrete_coordinates_can_be_given() -> None:
    run = run_of()
    assert givable(run) == ["label"]
    for name in ("momentum", "lable"):
        with pytest.raises(RecipeError, match=f"--given {name}=3.*this run can be given label"):
            condition(run, {name: "3"}, None)
    run.coordinates = (Momentum(),)
    with pytest.raises(RecipeError, match="can be given nothing"):
        condition(run, {"momentum": "3"}, None)


def test_a_discrete_coordinate_takes_its_values_alone() -> None:
    run = run_of(coordinates=(SimpleNamespace(name="level", noises_x=True, n_values=3, leaves_data=True),))
    assert torch.equal(condition(run, {"level": "2"}, None)["level"], torch.tensor(2))
    for text in ("3", "-1", "x"):
        with pytest.raises(RecipeError, match="from 0 to 2"):
            condition(run, {"level": text}, None)


def test_a_latent_can_be_given_where_there_is_an_encoder_too() -> None:
    energy = SimpleNamespace(abilities=LATENT)
    assert givable(run_of(energy=energy)) == ["label"]
    assert givable(run_of(energy=energy, objectives={"o": SimpleNamespace(encode=len)})) == ["label", "latent"]


def test_what_gives_a_latent_is_asked_of_the_installed_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    host = plugins.Host()
    monkeypatch.setattr(plugins, "_host", host)
    with pytest.raises(CapabilityError, match=r"no latent.*'energy\.latent' \(none is installed"):
        latent_direction(run_of(), "class:3")
    host.register(Component(kind="wrapper", name="mine", build="a:b", summary="", gives=("energy.latent",)))
    host.register(Component(kind="objective", name="ours", build="a:b", summary="", gives=("objective.encoder",)))
    with pytest.raises(CapabilityError, match="Train with --wrapper mine and --objective ours"):
        latent_direction(run_of(), "class:3")


def test_the_strength_of_training_is_what_the_energy_says() -> None:
    head = SimpleNamespace(guidance_strength=0.02, abilities=LATENT)
    assert trained_strength(head) == 0.02


@pytest.mark.parametrize("silent", [SimpleNamespace(), SimpleNamespace(guidance_strength=None)])
def test_an_energy_that_does_not_say_the_strength_of_its_latent_is_refused(silent: Any) -> None:
    with pytest.raises(CapabilityError, match="must forward `guidance_strength`"):
        trained_strength(silent)


LABELLED = SimpleNamespace(abilities=frozenset({"levels.label"}))


def test_a_class_can_be_given_to_an_energy_of_all_labels_without_the_coordinate() -> None:
    run = run_of(("cat", "dog"), 2, energy=LABELLED, coordinates=(Momentum(),))
    assert givable(run) == ["label"]
    assert int(condition(run, {"label": "dog"}, None)["label"]) == 1
    assert held_by(run, {"label": "all"}, None, 4).names == ("cat", "cat", "dog", "dog")
    assert givable(run_of(n_classes=2, energy=LABELLED)) == ["label"], "once, where it is a coordinate as well"


@pytest.mark.parametrize("lacks", [{"energy": object()}, {"n_classes": 0}], ids=["ability", "classes"])
def test_without_that_ability_or_without_classes_it_cannot(lacks: dict[str, Any]) -> None:
    run = run_of(**{"energy": LABELLED, "coordinates": (Momentum(),), **lacks})
    assert givable(run) == []
    with pytest.raises(RecipeError, match="label=1: this run can be given nothing"):
        condition(run, {"label": "1"}, None)
