"""Training with the objective, in a whole run."""

import shutil

import torch

import ebmkit
from ebmkit import Point
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.run import resume, run

RECIPE = """
[run]
steps = 4
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
capacity = 16
[[wrapper]]
use = "latent-head"
latent = 4
hidden = 16
[[sampler]]
use = "sgld"
moves = 2
[[objective]]
use = "clel"
width = 4
[checkpoint]
every = 2
[log]
every = 1
tensorboard = false
"""


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    whole = run(RECIPE, out=tmp_path / "whole")
    shutil.copytree(whole.directory, tmp_path / "half")
    shutil.rmtree(checkpoint.latest(tmp_path / "half"))
    resume(tmp_path / "half")
    one, two = (checkpoint.load(checkpoint.latest(tmp_path / name)) for name in ("whole", "half"))
    assert one.step == two.step == 4 and {"clel", "ema.clel", "optim.clel"} <= one.tensors.keys()
    for name, tensors in one.tensors.items():
        assert tensors.keys() == two.tensors[name].keys()
        assert all(torch.equal(value, two.tensors[name][key]) for key, value in tensors.items()), name


def test_both_owners_learn_and_a_loaded_run_samples_given_a_latent(tmp_path):
    made = run(RECIPE, out=tmp_path / "run")
    first, last = (checkpoint.load(path) for path in checkpoint.checkpoints(made.directory / "checkpoints"))
    for owner in ("energy", "clel"):
        assert any(not torch.equal(v, last.tensors[owner][k]) for k, v in first.tensors[owner].items()), owner
    x = torch.rand(6, *made.data.event_shape)
    latent = made.objectives["clel"].encode(x)
    start = Point(x=x, aux={"latent": latent})
    draws = ebmkit.sample(made.energy, made.sampler, start, transitions=2)
    assert draws.x.shape == (2, 6, 1, 28, 28) and torch.equal(draws.aux["latent"][-1], latent)
    free = ebmkit.sample(made.energy, made.sampler, x, transitions=2)
    assert not torch.equal(free.x, draws.x)
