"""Training with the objective, in whole runs."""

import json
import shutil

import pytest
import torch

from ebmkit import CapabilityError
from ebmkit.recipes.recipe import from_toml, parse_override
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.run import resume, run

RECIPE = """
[run]
steps = 6
batch_size = 8
[data]
use = "fashion-mini"
limit = 32
[energy]
use = "resnet"
widths = [4, 4]
hidden = 8
features = 8
[buffer]
use = "replay"
capacity = 24
[[sampler]]
use = "sgld"
moves = 2
[[objective]]
use = "improved-cd"
rows = 4
reference = 5
fill = 12
[checkpoint]
every = 3
[log]
every = 1
tensorboard = false
"""
VECTORS = '[data]\nuse = "toy"\n[run]\nsteps = 4\nbatch_size = 8\n[[objective]]\nuse = "improved-cd"\nfill = 0\n'


def asked(text, *overrides):
    return from_toml(text).with_overrides(parse_override(o) for o in overrides)


def log(made):
    return [json.loads(line) for line in (made.directory / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("buffer", ["replay", "reservoir"])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, buffer):
    whole = run(asked(RECIPE.replace('use = "replay"', f'use = "{buffer}"')), out=tmp_path / "whole")
    shutil.copytree(whole.directory, tmp_path / "half")
    shutil.rmtree(checkpoint.latest(tmp_path / "half"))
    resume(tmp_path / "half")
    one, two = (checkpoint.load(checkpoint.latest(tmp_path / name)) for name in ("whole", "half"))
    assert one.step == two.step == 6 and {"energy", "buffer"} <= one.tensors.keys()
    for name, tensors in one.tensors.items():
        assert tensors.keys() == two.tensors[name].keys()
        assert all(torch.equal(value, two.tensors[name][key]) for key, value in tensors.items()), name


def test_the_entropy_begins_when_the_buffer_is_filled_and_the_log_says_so(tmp_path):
    lines = log(run(asked(RECIPE), out=tmp_path / "run"))
    filled = [line["buffer_filled"] for line in lines]
    began = ["loss.improved-cd.entropy" in line for line in lines]
    assert filled[0] == 8 and filled == sorted(filled) and filled[-1] <= 24
    assert not began[0] and began[-1], "12 rows are filled after the second step at the earliest"
    before = [0, *filled[:-1]]  # what the references of a step are drawn from
    assert began == [n >= 12 for n in before]
    assert all("loss.improved-cd.kl" in line for line in lines)


def test_a_smaller_buffer_must_be_full(tmp_path):
    lines = log(run(asked(RECIPE, "objective.improved-cd.fill=1000", "run.steps=20"), out=tmp_path / "run"))
    before = [0, *[line["buffer_filled"] for line in lines[:-1]]]
    assert ["loss.improved-cd.entropy" in line for line in lines] == [n >= 24 for n in before]
    assert max(before) == 24


def test_more_references_than_the_buffer_can_have_are_refused(tmp_path):
    with pytest.raises(CapabilityError, match=r"17 reference rows.*batch of 8.*24 rows.*capacity"):
        run(asked(RECIPE, "objective.improved-cd.reference=17"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    run(asked(RECIPE, "objective.improved-cd.reference=16", "run.steps=1"), out=tmp_path / "fits")


def test_the_terms_change_what_is_learnt(tmp_path):
    def weights(name, *overrides):
        made = run(asked(RECIPE, "objective.improved-cd.fill=0", "run.steps=1", *overrides), out=tmp_path / name)
        return checkpoint.load(checkpoint.latest(made.directory)).tensors["optim.energy"]

    every = [
        weights("both"),
        weights("kl", "objective.improved-cd.w_ent=0"),
        weights("ent", "objective.improved-cd.w_kl=0"),
    ]
    for i, a in enumerate(every):
        for b in every[i + 1 :]:
            assert any(not torch.equal(a[key], b[key]) for key in a if "exp_avg" in key)


@pytest.mark.parametrize(
    "overrides",
    [
        ("sampler.sgld.moves=3", "objective.improved-cd.moves=3"),
        ("objective.improved-cd.augment_reference=gentle",),
        ("run.train_precision=bf16",),
    ],
)
def test_it_trains_images(tmp_path, overrides):
    last = log(run(asked(RECIPE, "objective.improved-cd.fill=0", "run.steps=3", *overrides), out=tmp_path / "run"))[-1]
    assert last["gradient_norm.energy"] > 0 and "loss.improved-cd.entropy" in last


@pytest.mark.parametrize("sampler", ["sgld", "mala", "hmc"])
def test_it_trains_vectors_at_temperature_one(tmp_path, sampler):
    made = run(asked(VECTORS + f'[[sampler]]\nuse = "{sampler}"\n'), out=tmp_path / "run")
    assert made.recipe.table("run").temperature == 1.0 and made.step == 4


def test_it_trains_energies_that_see_labels(tmp_path):
    made = run(asked(RECIPE + '[[coordinate]]\nuse = "label"\n'), out=tmp_path / "run")
    assert made.recipe.part("energy").settings["labels"] is True
    saved = checkpoint.load(checkpoint.latest(made.directory)).tensors
    assert saved["buffer"]["aux.label"].shape == (24,), "labels are stored beside the chains"
    assert "loss.improved-cd.entropy" in log(made)[-1]


def test_without_an_entropy_it_needs_no_buffer(tmp_path):
    text = RECIPE.replace('use = "replay"\ncapacity = 24', 'use = "none"')
    made = run(asked(text, "objective.improved-cd.w_ent=0"), out=tmp_path / "run")
    assert "buffer_filled" not in log(made)[-1] and "loss.improved-cd.kl" in log(made)[-1]
