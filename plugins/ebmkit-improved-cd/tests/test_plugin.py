"""What the package offers, what its parts bring along, and what is refused."""

import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

from ebmkit import CapabilityError, Component, Include, Need
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import load_build
from ebmkit.recipes.recipe import from_toml, parse_override
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.runs.run import run

RECIPES = ["improved-cd-celeba128", "improved-cd-cifar10", "improved-cd-fashion", "improved-cd-mnist"]
ASKED = '[[objective]]\nuse = "improved-cd"\n'


def resolution(text, shape=None, *overrides):
    return resolve(from_toml(text).with_overrides(parse_override(o) for o in overrides), host(), shape)


def resolved(text, shape=None, *overrides):
    return resolution(text, shape, *overrides).recipe


def names(recipe, table):
    return [part.use for part in recipe.parts.get(table, ())]


def settings(recipe, table, name):
    return next(part.settings for part in recipe.parts[table] if part.use == name)


def plugin():
    return next(p for p in host().plugins if p.name == "improved-cd")


def test_declaring_it_imports_no_torch():
    code = "import sys, ebmkit_improved_cd.declarations as p; p.RECIPES; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_part_can_be_built_and_cited():
    assert not plugin().error
    assert {"improved-cd", "reservoir"} <= {c.name for c in plugin().components}
    for component in plugin().components:
        assert callable(load_build(component)) and "2012.01316" in component.cite


def test_every_recipe_resolves_and_stays_as_it_is():
    assert sorted(plugin().recipes) == RECIPES
    for name in RECIPES:
        complete = resolved(host().recipe(name))
        assert names(complete, "objective") == ["cd", "energy-l2", "improved-cd"], name
        assert names(complete, "sampler") == ["augment", "sgld"], name
        assert resolve(complete, host()).recipe == complete, name


# --- what comes along


def test_the_objective_alone_brings_everything_it_needs():
    complete = resolved(ASKED)
    assert names(complete, "objective") == ["cd", "energy-l2", "improved-cd"]
    assert names(complete, "sampler") == ["augment", "sgld"] and names(complete, "buffer") == ["replay"]
    assert settings(complete, "objective", "improved-cd") == {
        "w_kl": 1.0, "w_ent": 0.3, "rows": 32, "moves": 1, "reference": 100, "fill": 1000, "epsilon": 1e-4,
        "augment_reference": "none", "augment_strength": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize("order", list(permutations(["cd", "improved-cd", "energy-l2"])))
def test_the_order_of_naming_does_not_matter(order):
    assert resolved("".join(f'[[objective]]\nuse = "{name}"\n' for name in order)) == resolved(ASKED)


def test_at_temperature_one_the_penalty_and_the_augmentation_stay_away():
    complete = resolved(ASKED + '[[sampler]]\nuse = "mala"\n')
    assert names(complete, "objective") == ["cd", "improved-cd"] and names(complete, "sampler") == ["mala"]


def test_vectors_are_not_augmented():
    complete = resolved(ASKED + '[data]\nuse = "toy"\n', (2,))
    assert names(complete, "sampler") == ["mala"] and names(complete, "energy") == ["mlp"]


def test_what_it_includes_it_shares_with_another_that_includes_the_same():
    """As another objective of the same needs would: one of each, and nothing is disputed."""
    other = Component(
        kind="objective",
        name="other",
        build="m:f",
        summary="",
        needs=(Need("objective.fit", default="cd"),),
        includes=(Include("objective", "energy-l2"), Include("sampler", "augment", before="sampler.unadjusted")),
    )

    class Host:
        def get(self, kind, name):
            return other if (kind, name) == ("objective", "other") else host().get(kind, name)

        def all(self):
            return host().all()

    for text in (ASKED + '[[objective]]\nuse = "other"\n', '[[objective]]\nuse = "other"\n' + ASKED):
        complete = resolve(from_toml(text), Host()).recipe
        assert names(complete, "objective") == ["cd", "energy-l2", "improved-cd", "other"]
        assert names(complete, "sampler") == ["augment", "sgld"]


# --- what is refused, before anything is built


@pytest.mark.parametrize("sampler", ["nuts", "tempering"])
def test_samplers_without_a_pathwise_tail_are_refused_and_those_with_one_are_named(sampler):
    with pytest.raises(CapabilityError, match=r"needs sampler\.tail.*sampler hmc or sampler mala.*sampler sgld"):
        resolved(ASKED + f'[[sampler]]\nuse = "{sampler}"\n')


def test_an_entropy_without_rows_is_refused_and_told_what_to_change():
    text = ASKED + '[buffer]\nuse = "none"\n'
    found = r"needs buffer\.rows.*buffer replay or buffer reservoir, or set objective\.improved-cd\.w_ent = 0\."
    with pytest.raises(CapabilityError, match=found):
        run(text, out="nowhere")
    assert not Path("nowhere").exists()
    complete = resolved(text, None, "objective.improved-cd.w_ent=0")
    assert names(complete, "buffer") == ["none"], "the KL term needs no rows"


def test_an_objective_without_terms_is_refused():
    with pytest.raises(CapabilityError, match="no term"):
        resolved(ASKED, None, "objective.improved-cd.w_ent=0", "objective.improved-cd.w_kl=0")


def test_vectors_have_no_augmented_references():
    with pytest.raises(CapabilityError, match=r"improved-cd cannot be used here.*\(2,\)"):
        resolved(ASKED + '[data]\nuse = "toy"\n', (2,), "objective.improved-cd.augment_reference=strong")


def test_uint8_rows_are_refused_beside_an_exact_sampler_for_the_reservoir_too():
    text = ASKED + '[buffer]\nuse = "reservoir"\nstorage = "uint8"\n'
    assert settings(resolved(text), "buffer", "reservoir")["storage"] == "uint8"
    with pytest.raises(CapabilityError, match="no longer be exact"):
        resolved(text + '[[sampler]]\nuse = "mala"\n')


# --- published settings


@pytest.mark.parametrize(
    ("name", "step_size", "rows", "references", "strength"),
    [
        ("improved-cd-cifar10", 100.0, 128, "strong", 2.0),
        ("improved-cd-celeba128", 500.0, 128, "strong", 1.0),
        ("improved-cd-mnist", 100.0, 32, "none", 1.0),
    ],
)
def test_the_published_settings_are_those_of_the_recipe(name, step_size, rows, references, strength):
    complete = resolved(host().recipe(name))
    made, optim, objective = (
        complete.table("run"),
        complete.owner("energy"),
        settings(complete, "objective", "improved-cd"),
    )
    assert made.batch_size == 128 and 0.5 ** (128 / made.ema_half_life) == pytest.approx(0.99, rel=1e-4)
    assert (optim.use, optim.lr, optim.betas, optim.clip) == ("adam", 2e-4, (0.0, 0.9), 0.5)
    assert (objective["w_kl"], objective["w_ent"], objective["rows"], objective["moves"]) == (1.0, 0.3, rows, 1)
    assert (objective["reference"], objective["fill"]) == (100, 1000)
    assert (objective["augment_reference"], objective["augment_strength"]) == (references, strength)
    assert settings(complete, "sampler", "augment")["strength"] == strength, "chains and references alike"
    sample = complete.table("sample")
    assert sample.transitions == 10 and 80 <= 40 * sample.plain_transitions <= 200
    sgld, replay = settings(complete, "sampler", "sgld"), complete.part("buffer").settings
    assert (sgld["moves"], sgld["step_size"], sgld["noise"]) == (40, step_size, 0.001)
    assert (replay["capacity"], replay["reinit"]) == (10_000, 0.001)
    assert settings(complete, "objective", "energy-l2") == {"alpha": 1.0}
