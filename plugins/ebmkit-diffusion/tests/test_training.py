"""Training with a level, in whole runs."""

import shutil

import pytest
import torch

import ebmkit
from ebmkit.assembly.context import data_point
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.loaded import load
from ebmkit.runs.log.logbook import read_metrics
from ebmkit.runs.run import resume, run

RECIPE = """
[run]
steps = 6
batch_size = 16
[data]
use = "toy"
[energy]
use = "mlp"
widths = [16]
[buffer]
use = "replay"
capacity = 40
[[sampler]]
use = "mgms"
moves = 2
adapt_every = 2
warmup = 4
[[wrapper]]
use = "WRAPPER"
[[objective]]
use = "cd-levels"
[checkpoint]
every = 3
[log]
every = 1
tensorboard = false
"""


@pytest.mark.parametrize("wrapper", ["level-conditioned", "level-head"])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, wrapper):
    whole = run(RECIPE.replace("WRAPPER", wrapper), out=tmp_path / "whole")
    shutil.copytree(whole.directory, tmp_path / "half")
    shutil.rmtree(checkpoint.latest(tmp_path / "half"))
    resume(tmp_path / "half")
    one, two = (checkpoint.load(checkpoint.latest(tmp_path / name)) for name in ("whole", "half"))
    assert one.step == two.step == 6 and {"0.warmup", "levels.jumps"} <= one.tensors["tuning"].keys()
    for name, tensors in one.tensors.items():
        assert tensors.keys() == two.tensors[name].keys()
        assert all(torch.equal(value, two.tensors[name][key]) for key, value in tensors.items()), name


def test_a_run_logs_how_its_levels_mix_and_draws_it(tmp_path):
    made = run(RECIPE.replace("WRAPPER", "level-head"), out=tmp_path / "run")
    last = read_metrics(made.directory)[-1]
    assert {"level.unevenness", "level.jump_rate", "level.round_trip", "level.6.share"} <= last.keys()
    assert sum(last[f"level.{t}.share"] for t in range(7)) == pytest.approx(1)
    assert (made.directory / "samples" / "levels-00000006.png").stat().st_size > 10_000


def test_a_loaded_run_is_adjusted_even_if_training_ended_within_its_warm_up(tmp_path):
    made = run(RECIPE.replace("WRAPPER", "level-head").replace("warmup = 4", "warmup = 400"), out=tmp_path / "run")
    kept = checkpoint.load(checkpoint.latest(made.directory)).tensors["tuning"]["0.warmup"]
    assert int(kept) == 394 and int(load(made.directory).tuning["0"]["warmup"]) == 0


def test_the_log_density_of_a_model_with_levels_is_that_of_clean_data():
    x = torch.randn(32, 2)
    model = ebmkit.fit("mlp", x, sampler="mgms", steps=1, progress=False)
    log_p = ebmkit.log_density(model)
    point = data_point(model.coordinates, x)
    assert set(point.aux) == {"level"} and not point.aux["level"].any()
    exact = -model.energy(point).detach() / model.temperature
    torch.testing.assert_close(log_p(x), exact)
    torch.testing.assert_close(log_p.value_and_gradient(x)[1], model.score(x))
    assert not torch.equal(ebmkit.log_density(model, given={"level": "3"})(x), exact)
