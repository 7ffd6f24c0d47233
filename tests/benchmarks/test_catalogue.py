"""Every workload is well-formed, and does the same work in all of its ways."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ebmkit.benchmarks import catalogue, chains, images, vectors
from ebmkit.benchmarks.chains import Chains
from ebmkit.benchmarks.workload import Workload
from ebmkit.errors import PluginError, RecipeError
from ebmkit.plugins.component import Component

CORE = catalogue.workloads([])


def component(benchmarks):
    return Component(kind="objective", name="own", build="a:b", summary="", benchmarks=benchmarks)


def own():
    return (replace(CORE[0], name="own-workload"),)


def clashing():
    return (CORE[0],)


def wrong():
    return ("no workload",)


def failing():
    raise ValueError("broken here")


def test_core_has_the_workloads_of_the_table():
    names = [work.name for work in CORE]
    assert names == [
        "gmm-langevin", "gmm-hmc", "mlp-1k-langevin", "mlp-1k-hmc", "mlp-100k-langevin", "mlp-100k-hmc",
        "resnet-langevin", "resnet-mala", "resnet-hmc", "clel-base-langevin",
    ]  # fmt: skip


@pytest.mark.parametrize("work", CORE, ids=lambda work: work.name)
def test_bars_and_bare_loops_name_ways(work):
    named = [name for bar in work.bars for name in (bar.first, bar.second)]
    named += [way.bare for way in work.ways.values() if way.bare]
    assert set(named) <= set(work.ways)
    assert all(bar.least > 0 or bar.most < 10 for bar in work.bars)
    assert work.moves > 0 and work.gradients >= work.moves


@pytest.mark.parametrize("name", ["mlp-100k-langevin", "mlp-100k-hmc"])
def test_what_goes_in_chunks_is_not_held_against_what_does_not(name):
    (work,) = [work for work in CORE if work.name == name]
    assert not any({bar.first, bar.second} == {"ebmkit fp32", "bare fp32"} for bar in work.bars)
    assert work.ways["ebmkit fp32"].bare == "bare fp32", "the row stays"
    (kept,) = [bar for bar in work.bars if bar.measure == "bytes"]
    assert (kept.first, kept.second, kept.least) == ("torchebm", "ebmkit fp32 whole", 2.0)


def test_the_whole_batch_is_asked_of_the_way_that_says_so(monkeypatch):
    made = []
    monkeypatch.setattr(vectors, "ours", lambda chains, *given, **named: made.append(chains.chunk))
    vectors.workloads()
    assert made.count(0) == 2 and set(made) == {0, "auto"}


def test_a_component_brings_workloads():
    found = catalogue.workloads([component(f"{__name__}:own"), component(f"{__name__}:own")])
    assert [work.name for work in found][len(CORE) :] == ["own-workload"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("wrong", "no Workload"), ("failing", "broken here"), ("absent", "absent"), ("clashing", "gmm-langevin")],
)
def test_a_component_that_cannot_is_named(name, words):
    with pytest.raises(PluginError, match=words):
        catalogue.workloads([component(f"{__name__}:{name}")])


def test_workloads_are_chosen_by_how_their_names_begin():
    assert [work.name for work in catalogue.chosen(CORE, ["mlp-1k"])] == ["mlp-1k-langevin", "mlp-1k-hmc"]
    assert catalogue.chosen(CORE, []) == CORE
    with pytest.raises(RecipeError, match="Did you mean 'gmm-hmc'"):
        catalogue.chosen(CORE, ["gm-hmc"])


SMALL = Chains(energy=vectors.network, sampler="hmc", n=6, event_shape=(2,),
               settings=(("moves", 2), ("step_size", 0.3), ("n_leapfrog", 3)))  # fmt: skip
IMAGES = Chains(energy=images.small_network, sampler="sgld", n=2, event_shape=(1, 28, 28), value_range=(0.0, 1.0),
                settings=(("moves", 2), *images.USUAL_MOVES))  # fmt: skip
CPU = torch.device("cpu")


def end(way):
    found = way.make(CPU).call()
    return found[0].point.x if isinstance(found, tuple) else found


def test_ours_and_the_bare_loop_end_alike():
    torch.testing.assert_close(end(chains.ours(SMALL, "fp32")), end(chains.by_hand(SMALL, "fp32")))
    torch.testing.assert_close(end(chains.ours(IMAGES, "fp32")), end(chains.by_hand(IMAGES, "fp32")))
    torch.testing.assert_close(end(chains.ours(IMAGES, "bf16")), end(chains.by_hand(IMAGES, "bf16")))


@pytest.mark.parametrize("sampler", ["sgld", "hmc"])
def test_torchebm_makes_moves_of_the_same_size_on_the_same_energy(sampler):
    pytest.importorskip("torchebm")
    small = replace(SMALL, n=4000)
    if sampler == "sgld":
        small = replace(small, sampler="sgld", settings=(("moves", 5), ("step_size", 0.1), ("noise", 0.4)))
    torch.manual_seed(0)
    theirs, mine, start = end(chains.on_torchebm(small, 0)), end(chains.ours(small, "fp32")), small.start(CPU)
    moved = [(x - start).square().mean().sqrt() for x in (theirs, mine)]
    torch.testing.assert_close(moved[0], moved[1], rtol=0.05, atol=0)


def test_torchebm_says_where_it_fails():
    pytest.importorskip("torchebm")
    settings = (("moves", 1), ("step_size", 0.01), ("n_leapfrog", 2))
    way = chains.on_torchebm(replace(IMAGES, sampler="hmc", settings=settings, value_range=None), 0)
    with pytest.raises(catalogue.EbmkitError, match="fails on"):
        way.make(CPU)


def test_every_declared_workload_is_one():
    from ebmkit.plugins.host import host

    assert all(isinstance(work, Workload) for work in catalogue.workloads(c for c, _ in host().all()))
