"""Laws of the settings for vectors: they fill what nobody set, are told, and never touch images or complete recipes."""

import pytest

from ebmkit.plugins.host import host
from ebmkit.plugins.scale import Scale
from ebmkit.recipes.recipe import from_mapping
from ebmkit.recipes.resolver import vectors
from ebmkit.recipes.resolver.resolve import resolve

PLANE = {"data": {"use": "toy"}}
FAR = Scale(mean=(0.0, 500.0), sd=(0.1, 80.0))


def resolved(raw, event_shape=(2,), scale=None, **overrides):
    recipe = from_mapping(raw).with_overrides([(path.replace("__", "."), value) for path, value in overrides.items()])
    return resolve(recipe, host(), event_shape, scale)


def test_what_nobody_set_is_for_vectors():
    recipe = resolved(PLANE).recipe
    assert [part.use for part in recipe.parts["sampler"]] == [vectors.NAMES["sampler"]]
    for name, usual in vectors.TABLES.items():
        assert usual.items() <= dict(recipe.tables[name]).items()
    assert vectors.OPTIM.items() <= dict(recipe.optim["energy"]).items()
    assert recipe.part("energy").settings["first_gain"] == vectors.PARTS["energy", "mlp"]["first_gain"]


@pytest.mark.parametrize("shape", [None, (1, 28, 28)])
def test_images_and_unknown_data_keep_the_defaults_of_the_parts(shape):
    recipe = resolved({"energy": {"use": "mlp"}}, shape).recipe
    assert recipe.table("run").steps == 1000 and recipe.table("run").batch_size == 64
    assert recipe.owner("energy").lr == 1e-4 and recipe.part("energy").settings["first_gain"] == 1.0


def test_what_the_user_set_stays_wherever_it_was_set():
    raw = {**PLANE, "run": {"steps": 7}, "optim": {"energy": {"lr": 0.5}}, "buffer": {"use": "replay", "capacity": 300}}
    made = resolved(raw, run__batch_size=9, energy__first_gain=1.0)
    recipe = made.recipe
    assert (recipe.table("run").steps, recipe.table("run").batch_size) == (7, 9)
    assert recipe.owner("energy").lr == 0.5 and recipe.owner("energy").schedule == vectors.OPTIM["schedule"]
    assert recipe.part("buffer").settings["capacity"] == 300 and recipe.part("energy").settings["first_gain"] == 1.0
    (line,) = [note for note in made.notes if vectors.WHY in note]
    assert "schedule" in line and not any(word in line for word in ("steps", "batch_size", "capacity", "first_gain"))


def test_a_complete_recipe_is_left_as_it_is():
    recipe = resolved(PLANE).recipe
    again = resolve(recipe, host(), (2,), FAR)
    assert again.recipe == recipe and not any(vectors.WHY in note for note in again.notes)


def test_every_setting_for_vectors_exists():
    for (table, name), settings in vectors.PARTS.items():
        kind = "dataset" if table == "data" else table
        assert settings.keys() <= set(host().get(kind, name).config.__dataclass_fields__)


def test_an_unusual_scale_reaches_moves_and_inputs_and_is_told():
    made = resolved(PLANE, scale=FAR)
    (sampler,), energy = made.recipe.parts["sampler"], made.recipe.part("energy")
    assert sampler.settings["scale"] == [0.1, 80.0]
    assert energy.settings["mean"] == [0.0, 500.0] and energy.settings["std"] == [0.1, 80.0]
    (line,) = [note for note in made.notes if "standard normal" in note]
    assert "mean 0 to 500, s.d. 0.1 to 80" in line


def test_the_penalty_on_energies_has_a_weight_that_a_density_bears():
    recipe = resolved({**PLANE, "objective": [{"use": "cd"}, {"use": "energy-l2"}]}).recipe
    assert recipe.parts["objective"][1].settings["alpha"] == vectors.PARTS["objective", "energy-l2"]["alpha"]
