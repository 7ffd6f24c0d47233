"""What cannot be built or trained here is refused before anything is written."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.assembly.device import choose_device
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, CheckpointError, RecipeError
from ebmkit.recipes.recipe import Recipe, from_mapping
from ebmkit.rng import stream
from ebmkit.training.step import run_phases
from ebmkit.views.engine_choice import MANY_GRADIENTS

FACTS = DataSpec(event_shape=(1, 28, 28), value_range=(0.0, 1.0), n_classes=2, class_names=("a", "b"), n_data=5)


@pytest.mark.parametrize("name", ["meta", "toaster", "cuda:99"])
def test_a_device_that_cannot_compute_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=f"Device '{name}' cannot be used here: .* Use --device auto or cpu"):
        choose_device(name)


def test_the_cpu_can_be_had() -> None:
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("bounds", [None, (-1.0, 1.0)])
def test_what_is_known_of_the_data_comes_back(bounds: tuple[float, float] | None) -> None:
    facts = DataSpec(event_shape=(2,), value_range=bounds, n_classes=0, class_names=(), n_data=7)
    assert DataSpec.from_json(facts.as_json()) == facts
    assert DataSpec.from_json(FACTS.as_json()) == FACTS


@pytest.mark.parametrize(
    "wrong", [{"event_shape": 3}, {"event_shape": ["a"]}, {"n_classes": None}, {"value_range": [1]}]
)
def test_damage_to_it_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=f"of the data is damaged: {next(iter(wrong))}"):
        DataSpec.from_json(FACTS.as_json() | wrong)
    with pytest.raises(CheckpointError, match="event_shape"):
        DataSpec.from_json({})


def test_a_model_without_parameters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = complete({"data": {"use": "toy"}, "run": {"steps": 1}, "log": {"tensorboard": False}}).recipe
    monkeypatch.setattr("ebmkit.assembly.assemble.build_energy", lambda *a: lambda point: point.x.square().sum(1))
    with pytest.raises(CapabilityError, match=r"Nothing here can be trained.*ebmkit\.sample"):
        assemble(recipe)


def test_a_resolved_recipe_has_its_temperature() -> None:
    with pytest.raises(RecipeError, match=r"run\.temperature"):
        assemble(from_mapping({"data": {"use": "toy"}, "resolved": True}))


def lengthy(**run: object) -> Recipe:
    return complete(
        {"data": {"use": "toy"}, "energy": {"use": "mlp", "widths": [8]}, "run": {"steps": 3, **run}}
    ).recipe


def test_a_run_records_the_engine_and_chunk_that_auto_chose() -> None:
    assembly = assemble(lengthy())
    config = assembly.recipe.table("run")
    assert (config.engine, config.chunk) == ("eager", 0) and assembly.choice is not None
    assert "eager" in assembly.choice.reason and assembly.choice.milliseconds["eager"] > 0
    again = assemble(assembly.recipe)
    assert again.choice is None and again.recipe == assembly.recipe, "what is recorded is not measured again"


def test_a_recorded_engine_is_used_in_training_and_loading_stays_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch._inductor.compile", lambda traced, tensors: traced)
    recipe = lengthy(engine="compile", chunk=16)
    assembly = assemble(recipe)
    assert (assembly.parts.view.passes.engine, assembly.parts.view.passes.chunk) == ("compile", 16)
    loaded = assemble(assembly.recipe, data=assembly.data, with_data=False)
    assert loaded.parts.view.passes.engine == "eager" and loaded.recipe.table("run").engine == "compile"


@pytest.mark.parametrize("many", [MANY_GRADIENTS, 10**12])
def test_measuring_changes_no_number_of_the_run(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a gradient is timed alone, or a trial transition is made as in a longer run."""
    monkeypatch.setattr("ebmkit.views.engine_choice.MANY_GRADIENTS", many)
    measured, told = assemble(lengthy()), assemble(lengthy(engine="eager", chunk=0))
    batch = measured.dataset.batch(torch.arange(8), stream(0, 1, "data"))
    first, second = (run_phases(assembly.parts, batch, 1, {})[0].negative for assembly in (measured, told))
    assert first is not None and second is not None and torch.equal(first.x, second.x)
