"""What the package offers, and what its parts bring along."""

import subprocess
import sys
from itertools import permutations

import pytest

from ebmkit import BuildContext, CapabilityError
from ebmkit.assembly.build import build
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import load_build
from ebmkit.recipes.recipe import from_toml, parse_override
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.runs.run import run

RECIPES = [
    "clel-celeba64",
    "clel-cifar10",
    "clel-cifar10-large",
    "clel-cifar10-small",
    "clel-fashion",
    "clel-imagenet32",
]


def resolved(text, shape=None, *overrides):
    return resolve(from_toml(text).with_overrides(parse_override(o) for o in overrides), host(), shape).recipe


def names(recipe, table):
    return [part.use for part in recipe.parts[table]]


def test_declaring_it_imports_no_torch():
    code = "import sys, ebmkit_clel.declarations as p; p.RECIPES; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_part_can_be_built_and_cited():
    plugin = next(p for p in host().plugins if p.name == "clel")
    assert not plugin.error and sorted(c.name for c in plugin.components) == ["clel", "latent-head"]
    for component in plugin.components:
        assert callable(load_build(component)) and "2303.03023" in component.cite


def test_every_recipe_resolves_and_stays_as_it_is():
    plugin = next(p for p in host().plugins if p.name == "clel")
    assert sorted(plugin.recipes) == RECIPES
    for name in RECIPES:
        complete = resolved(host().recipe(name))
        assert names(complete, "objective") == ["cd", "clel", "energy-l2"], name
        assert names(complete, "sampler") == ["augment", "sgld"], name
        assert complete.table("run").temperature == pytest.approx(5e-9), name
        assert resolve(complete, host()).recipe == complete, name


def test_the_published_settings_are_those_of_the_recipe():
    complete = resolved(host().recipe("clel-cifar10"))
    run, energy, encoder = complete.table("run"), complete.owner("energy"), complete.owner("clel")
    sgld, replay = complete.parts["sampler"][1].settings, complete.part("buffer").settings
    assert (run.steps, run.batch_size, run.ema_half_life, run.ema_copy_steps) == (100_000, 64, 20_000, 312)
    assert (energy.use, energy.lr, energy.betas, energy.warmup) == ("adam", 1e-4, (0.0, 0.999), 2_000)
    assert (encoder.use, encoder.lr, encoder.momentum, encoder.weight_decay) == ("sgd", 0.03, 0.9, 5e-4)
    assert encoder.schedule == "cosine" and energy.schedule == "constant"
    assert (sgld["moves"], sgld["step_size"], sgld["noise"]) == (60, 100.0, 0.001)
    assert (replay["capacity"], replay["reinit"]) == (10_000, 0.001)
    assert complete.parts["objective"][2].settings == {"alpha": 1.0}


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("clel-cifar10", "6.96"),
        ("clel-imagenet32", "6.96"),
        ("clel-cifar10-large", "30.71"),
        ("clel-cifar10-small", "1.7"),
    ],
)
def test_networks_have_the_published_sizes(name, millions):
    complete = resolved(host().recipe(name))
    (head,) = complete.parts["wrapper"]
    context = BuildContext(event_shape=(3, 32, 32), value_range=(0.0, 1.0), batch_size=64)
    inner = build("energy", complete.part("energy").use, context=context, **complete.part("energy").settings)
    energy = build("wrapper", head.use, context=context.replace(inner=inner), **head.settings)
    found = sum(p.numel() for p in energy.parameters()) / 1e6
    assert f"{found:.{len(millions.split('.')[1])}f}" == millions


def test_the_objective_alone_brings_everything_it_needs():
    complete = resolved('[[objective]]\nuse = "clel"\n')
    assert names(complete, "objective") == ["cd", "clel", "energy-l2"]
    assert names(complete, "wrapper") == ["latent-head"] and names(complete, "buffer") == ["replay"]
    assert names(complete, "sampler") == ["augment", "sgld"]
    assert complete.part("energy").settings["head"] == "half-squared-norm"
    assert complete.parts["objective"][1].settings["width"] == 32, "what was unset is decided"


@pytest.mark.parametrize("order", list(permutations(["cd", "clel", "energy-l2"])))
def test_the_order_of_naming_does_not_matter(order):
    text = "".join(f'[[objective]]\nuse = "{name}"\n' for name in order)
    assert resolved(text) == resolved('[[objective]]\nuse = "clel"\n')
    assert resolved(text + '[[wrapper]]\nuse = "latent-head"\n') == resolved('[[objective]]\nuse = "clel"\n')


def test_the_strength_is_handed_to_the_head_that_comes_along():
    complete = resolved('[[objective]]\nuse = "clel"\n', None, "objective.clel.beta=0.05")
    assert complete.parts["wrapper"][0].settings["beta"] == 0.05


def test_at_temperature_one_the_penalty_stays_away():
    complete = resolved('[run]\ntemperature = 1.0\n[[objective]]\nuse = "clel"\n')
    assert names(complete, "objective") == ["cd", "clel"]


def test_data_that_are_no_images_are_refused_before_anything_is_built():
    with pytest.raises(CapabilityError, match=r"objective clel cannot be used here.*\(2,\)"):
        run('[data]\nuse = "toy"\n[energy]\nuse = "mlp"\n[[objective]]\nuse = "clel"\n', out="nowhere")


def test_an_energy_that_is_no_norm_is_refused():
    with pytest.raises(CapabilityError, match="half-squared-norm"):
        resolved('[energy]\nuse = "resnet"\nhead = "linear"\n[[objective]]\nuse = "clel"\n')
