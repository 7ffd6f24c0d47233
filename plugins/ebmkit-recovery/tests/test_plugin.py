"""What the package offers, what its parts bring along, and what is refused."""

import subprocess
import sys
from itertools import permutations

import pytest

from ebmkit import CapabilityError
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import load_build
from ebmkit.recipes.recipe import from_toml
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.runs.run import load, run

RECIPES = ["recovery-fashion-cpu", "recovery-rings"]
ASKED = (
    '[data]\nuse = "toy"\n[energy]\nuse = "mlp"\n[[sampler]]\nuse = "mala"\n[[objective]]\nuse = "diffusion-recovery"\n'
)


def resolved(text):
    return resolve(from_toml(text), host()).recipe


def names(recipe, table):
    return [part.use for part in recipe.parts.get(table, ())]


def plugin():
    return next(p for p in host().plugins if p.name == "recovery")


def test_declaring_it_imports_no_torch():
    code = "import sys, ebmkit_recovery.declarations as p; p.RECIPES; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_part_can_be_built_and_cited():
    assert not plugin().error
    for component in plugin().components:
        assert callable(load_build(component)) and "2012.08125" in component.cite


def test_every_recipe_resolves_and_stays_as_it_is():
    assert sorted(plugin().recipes) == RECIPES
    for name in RECIPES:
        complete = resolved(host().recipe(name))
        assert names(complete, "objective") == ["diffusion-recovery"] and names(complete, "buffer") == ["anchored"]
        assert resolve(complete, host()).recipe == complete, name


def test_the_objective_alone_brings_everything_it_needs():
    complete = resolved(ASKED)
    assert names(complete, "coordinate") == ["recovery-level", "anchor"] and names(complete, "wrapper") == ["recovery"]
    assert names(complete, "buffer") == ["anchored"] and complete.table("run").temperature == 1
    mala = complete.parts["sampler"][0].settings
    assert mala["step_size_per"] == "recovery-level", "each level has a step of its own"


def test_the_order_of_naming_does_not_matter():
    parts = [
        '[[coordinate]]\nuse = "anchor"\n',
        '[[coordinate]]\nuse = "recovery-level"\n',
        '[[wrapper]]\nuse = "recovery"\n',
    ]
    wanted = resolved(ASKED)
    for order in permutations(parts):
        assert resolved(ASKED + "".join(order)) == wanted
    for part in parts:
        assert resolved(ASKED + part) == wanted


def test_other_chains_may_be_chosen():
    for buffer in ("replay", "data", "none"):
        assert names(resolved(ASKED + f'[buffer]\nuse = "{buffer}"\n'), "buffer") == [buffer]
    assert names(resolved(ASKED + '[[objective]]\nuse = "cd"\n'), "objective") == ["cd", "diffusion-recovery"]


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(CapabilityError, match=r"needs buffer\.rows"):
        resolved(ASKED + '[[objective]]\nuse = "improved-cd"\n')
    with pytest.raises(CapabilityError, match="recovery hides it"):
        resolved(ASKED + '[[objective]]\nuse = "clel"\n[[wrapper]]\nuse = "latent-head"\n')
    with pytest.raises(CapabilityError, match=r"energy\.levels\.level.*recovery hides it"):
        resolved(ASKED + '[[coordinate]]\nuse = "level"\n')
    with pytest.raises(CapabilityError, match="does not say by how much: leave this objective out"):
        run(from_toml(ASKED + '[[objective]]\nuse = "denoising-score-matching"\n'), tmp_path / "run")


def test_a_run_trains_goes_on_and_samples(tmp_path):
    small = '[run]\nsteps = 4\nbatch_size = 16\nengine = "eager"\n'
    text = small + ASKED.replace('use = "mala"', 'use = "recovery-langevin"\nmoves = 3')
    run(from_toml(text), tmp_path / "run", note=lambda line: None)
    made = load(tmp_path / "run").model.sample(5)
    assert made.x.shape == (5, 2) and made.n_gradients == 18
