"""What the package offers, and what its parts bring along."""

import subprocess
import sys
from itertools import permutations

import pytest

from ebmkit import BuildContext, CapabilityError
from ebmkit.assembly.parts import build_coordinates, build_energy
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import load_build
from ebmkit.recipes.recipe import from_toml, parse_override
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.runs.run import run

MIX = "clel-da-fashion-cpu"
PARTS = ["annealed", "cd-levels", "level", "level-classification", "level-conditioned", "level-head", "mgms"]


def resolution(text, shape=(2,), *overrides):
    return resolve(from_toml(text).with_overrides(parse_override(o) for o in overrides), host(), shape)


def names(recipe, table):
    return [part.use for part in recipe.parts[table]]


def table(kind, name, **settings):
    lines = [f"{key} = {value}" for key, value in settings.items()]
    return "\n".join([f'[[{kind}]]\nuse = "{name}"', *lines, ""])


MLP = '[energy]\nuse = "mlp"\n'


def test_declaring_it_imports_no_torch():
    code = (
        "import sys, ebmkit_diffusion.declarations as p; p.RECIPES; "
        "[c.ask('needs', c.config(), __import__('ebmkit').Selection()) for c in p.COMPONENTS]; "
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_part_can_be_built_and_cited():
    plugin = next(p for p in host().plugins if p.name == "diffusion")
    assert not plugin.error and sorted(c.name for c in plugin.components) == PARTS
    for component in plugin.components:
        assert callable(load_build(component)) and (
            "2304.10707" in component.cite or component.name in ("level-classification", "annealed")
        )


def test_the_sampler_alone_brings_everything_it_needs():
    found = resolution(MLP + table("sampler", "mgms"))
    recipe = found.recipe
    assert names(recipe, "coordinate") == ["level"] and names(recipe, "wrapper") == ["level-head"]
    assert names(recipe, "sampler") == ["mgms"] and names(recipe, "objective") == ["cd"]
    assert recipe.table("run").temperature == 1
    assert recipe.parts["coordinate"][0].settings["noise_levels"] == 6, "what was unset is decided"
    assert "added coordinate level (mgms needs point.level)" in found.notes


@pytest.mark.parametrize(("shape", "n"), [((2,), 6), ((1, 28, 28), 50)])
def test_unset_levels_are_the_published_ones(shape, n):
    (level,) = resolution(MLP + table("coordinate", "level"), shape).recipe.parts["coordinate"]
    assert level.settings["noise_levels"] == n
    assert (level.settings["low"], level.settings["high"]) == ((2e-4, 2e-2) if n == 50 else (1e-2, 0.3))


def test_a_level_that_no_sampler_moves_gets_its_draw_and_langevin_runs_at_temperature_one():
    found = resolution(MLP + table("coordinate", "level") + table("sampler", "sgld"))
    assert names(found.recipe, "sampler") == ["sgld", "gibbs"]
    sgld = found.recipe.parts["sampler"][0].settings
    assert found.recipe.table("run").temperature == 1 and sgld["noise"] ** 2 / (2 * sgld["step_size"]) == pytest.approx(
        1
    )
    assert any("gibbs" in note and "level needs moves.level" in note for note in found.notes)


def test_the_user_may_choose_the_level_head():
    recipe = resolution(MLP + table("sampler", "mgms") + table("wrapper", "level-head")).recipe
    assert names(recipe, "wrapper") == ["level-head"] and recipe.part("energy").settings["conditioning"] == 0


def test_cd_levels_replaces_cd():
    recipe = resolution(MLP + table("objective", "cd-levels")).recipe
    assert names(recipe, "objective") == ["cd-levels"] and names(recipe, "coordinate") == ["level"]
    assert names(recipe, "sampler") == ["mala", "gibbs"]


@pytest.mark.parametrize("wrapper", ["level-conditioned", "level-head"])
def test_a_latent_head_comes_outside_and_finds_its_norm(wrapper):
    pytest.importorskip("ebmkit_clel")
    text = table("sampler", "mgms") + table("objective", "clel") + table("wrapper", wrapper)
    recipe = resolution(text, (1, 28, 28)).recipe
    assert names(recipe, "wrapper") == [wrapper, "latent-head"]
    assert recipe.part("energy").settings["head"] == "half-squared-norm"
    assert names(recipe, "objective") == ["cd", "clel"], "energy-l2 is skipped at temperature 1"


def test_a_bilinear_head_that_was_asked_for_has_no_norm():
    pytest.importorskip("ebmkit_clel")
    text = (
        table("sampler", "mgms") + table("objective", "clel") + table("wrapper", "level-conditioned", head='"bilinear"')
    )
    with pytest.raises(CapabilityError, match="half-squared-norm"):
        resolution(text, (1, 28, 28))


@pytest.mark.parametrize("order", list(permutations(["level-head", "level"])))
def test_the_order_of_naming_does_not_matter(order):
    kinds = {"level-head": "wrapper", "level": "coordinate"}
    text = MLP + table("sampler", "mgms") + "".join(table(kinds[name], name) for name in order)
    assert resolution(text).recipe == resolution(MLP + table("sampler", "mgms") + table("wrapper", "level-head")).recipe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("coordinate.level.low=2.0", "not monotone: level 2"),
        ("coordinate.level.schedule=cosine", "no low and high"),
        ("sampler.mgms.window=1", "window = 1"),
        ("sampler.mgms.accept=[0.8, 0.6]", "no band"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_built(override, message):
    text = MLP + table("sampler", "mgms") + table("coordinate", "level", low=1e-2, high=0.3)
    with pytest.raises(CapabilityError, match=message):
        resolution(text, (2,), override)


def test_every_recipe_resolves_and_stays_as_it_is():
    plugin = next(p for p in host().plugins if p.name == "diffusion")
    assert {"clel-da-fashion-cpu", "da-fashion", "da-fashion-cpu", "da-mnist"} <= set(plugin.recipes)
    for name in plugin.recipes:
        if name == MIX and not host().find("clel"):
            continue  # its head comment says that it needs ebmkit-clel
        complete = resolve(from_toml(host().recipe(name)), host()).recipe
        assert names(complete, "coordinate") == ["level"], name
        assert complete.table("run").temperature == 1, name
        assert resolve(complete, host()).recipe == complete, name


def built(name, *overrides):
    """Returns the energy of a recipe for 28×28 grey images."""
    complete = resolution(host().recipe(name), (1, 28, 28), *overrides).recipe
    context = BuildContext(event_shape=(1, 28, 28), value_range=(0.0, 1.0), batch_size=4)
    return complete, build_energy(complete, build_coordinates(complete, context))


@pytest.mark.parametrize("name", ["da-mnist", "da-fashion"])
def test_the_published_network_has_the_published_size(name):
    _, energy = built(name)
    assert sum(p.numel() for p in energy.parameters()) == 4_757_121


@pytest.mark.parametrize("name", ["da-mnist", "da-fashion"])
def test_the_published_settings_are_those_of_the_recipe(name):
    complete = resolution(host().recipe(name), (1, 28, 28)).recipe
    (mgms,), (level,) = complete.parts["sampler"], complete.parts["coordinate"]
    run, optim, replay = complete.table("run"), complete.owner("energy"), complete.part("buffer").settings
    assert (run.steps, run.batch_size, run.temperature) == (120_000, 200, 1.0)
    assert (optim.lr, optim.betas, optim.warmup) == (1e-5, (0.0, 0.999), 6_000)
    assert (replay["capacity"], replay["reinit"]) == (50_000, 0.0)
    assert (level.settings["noise_levels"], level.settings["low"], level.settings["high"]) == (50, 2e-4, 2e-2)
    assert (mgms.settings["moves"], mgms.settings["adapt_every"], mgms.settings["warmup"]) == (40, 100, 6_000)
    assert names(complete, "objective") == ["cd"] and names(complete, "wrapper") == ["level-conditioned"]


@pytest.mark.parametrize("name", ["da-mnist", "da-fashion", "da-rings-paper"])
def test_chains_are_taken_at_the_published_visit(name):
    assert resolution(host().recipe(name), (1, 28, 28)).recipe.table("sample").visits == 50


LEVELLED = """
[data]
use = "fashion-mini"
[energy]
use = "mlp"
[[coordinate]]
use = "level"
"""
REFUSED = {
    '[[sampler]]\nuse = "sgld"\nbounds = "mirror"': "noises x",
    '[[sampler]]\nuse = "augment"\ninexact = true\n[[sampler]]\nuse = "mgms"': "noises x",
    '[[wrapper]]\nuse = "level-head"\n[[wrapper]]\nuse = "level-conditioned"': "both give energy.levels.level",
    '[[objective]]\nuse = "cd-levels"\n[[sampler]]\nuse = "mgms"\nwindow = 2': "needs draws.level",
    '[[objective]]\nuse = "energy-l2"\n[[sampler]]\nuse = "mgms"': "the variance of the model diverges",
}


@pytest.mark.parametrize("asked", REFUSED)
def test_what_makes_no_sense_beside_a_level_is_refused_before_anything_is_built(asked):
    with pytest.raises(CapabilityError, match=REFUSED[asked]):
        resolve(from_toml(LEVELLED + asked), host(), (1, 28, 28))


def test_a_run_whose_sampler_moves_no_x_is_refused(tmp_path):
    with pytest.raises(CapabilityError, match="moves no x"):
        run(LEVELLED + '[[sampler]]\nuse = "gibbs"\n[run]\nsteps = 1\nbatch_size = 4', out=tmp_path / "run")


LABEL_AND_LEVEL = """
[run]
steps = 1
batch_size = 8
[data]
use = "toy"
[energy]
use = "mlp"
widths = [8]
[buffer]
use = "replay"
capacity = 16
[[coordinate]]
use = "label"
[[coordinate]]
use = "level"
[[sampler]]
use = "mala"
moves = 1
[[sampler]]
use = "gibbs"
coordinate = "label"
WINDOW
[[sampler]]
use = "gibbs"
coordinate = "level"
"""


def test_all_labels_are_not_all_levels():
    """An energy that gives all levels need not give all labels: said before anything is built, with the way out."""
    with pytest.raises(CapabilityError, match=r"needs energy\.levels\.label; found.*energy\.levels\.level.*window"):
        resolution(LABEL_AND_LEVEL.replace("WINDOW", ""))


@pytest.mark.parametrize("wrapper", ["level-conditioned", "level-head"])
def test_a_window_draws_labels_beside_levels(tmp_path, wrapper):
    asked = LABEL_AND_LEVEL.replace("WINDOW", "window = 8") + table("wrapper", wrapper)
    assert run(asked, out=tmp_path / "run").step == 1
