"""`eval`: numbers on the screen and beside the run, and refusals that say what to do."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ebmkit.evaluation.record import read_evaluations
from tests.cli.conftest import TOY

METRIC = """
import torch
from dataclasses import dataclass
from ebmkit import Component, Estimate, Measured

@dataclass(frozen=True, kw_only=True)
class SpreadConfig:
    times: float = 1.0

class Spread:
    def __init__(self, times):
        self.times = times
    def measure(self, subject):
        x = subject.samples().x
        value = float(x.std()) * self.times
        found = {"spread": Estimate(value, .1, len(x)), "rings: AUROC": Estimate(.5, .1, 3)}
        return Measured(found, "spread of samples")

def build(config, context):
    return Spread(config.times)

COMPONENTS = [Component(kind="metric", name="spread", config=SpreadConfig, build=f"{__name__}:build", summary="spread")]
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "spread.py"
    path.write_text(METRIC)
    return path


def test_numbers_are_printed_and_kept(cli, trained, plugin) -> None:
    flags = ("--plugin", plugin, "--metric", "spread", "-n", 20)
    answer = cli("eval", trained, *flags, "--set", "metric.spread.times=2")
    assert answer.status == 0, answer.err
    assert "spread: spread of samples" in answer.out and "AUROC" in answer.out and "20" in answer.out
    assert "Numbers:   " in answer.out
    found = read_evaluations(Path(trained))[-1]
    assert found.metric("spread").settings == {"times": 2.0}
    once = cli("eval", trained, *flags[2:], "--json", "--out", "x.json")
    assert once.status == 0, once.err
    assert json.loads(Path("x.json").read_text())["metrics"][0]["estimates"]["spread"]["n"] == 20
    assert "Numbers:   x.json" in once.err
    half = json.loads(once.out)["metrics"][0]["estimates"]["spread"]["value"]
    assert half * 2 == pytest.approx(found["spread"]["spread"].value)


def test_refusals(cli, trained, plugin) -> None:
    cli("eval", trained, "--metric", "fd").refuses("Metric fd needs images [1 or 3, height, width]")
    cli("eval", trained, "--metric", "spred", "--plugin", plugin).refuses("There is no metric 'spred'", "spread")
    cli("eval", trained, "--metric", "spread", "--set", "run.seed=3").refuses("the run is trained")
    cli("eval", trained, "--metric", "spread", "--set", "metric.times.x=3").refuses("which metric is meant")
    cli("eval", "nowhere", "--metric", "spread").refuses("nowhere holds no run")
    assert not Path("evaluation").exists()


def test_where_numbers_cannot_go_is_said_before_anything_is_measured(cli, trained, monkeypatch) -> None:
    folder = Path("kept.json")
    folder.mkdir()
    (folder / "work").touch()
    for out, words in (
        (folder, "is a folder"),
        (".", "is a folder"),
        ("x.txt", "must end in .json"),
        ("no/x.json", "no folder no"),
    ):
        cli("eval", trained, "--out", out).refuses(f"--out {out}", words)
    assert [path.name for path in folder.iterdir()] == ["work"]
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    cli("eval", trained).refuses("Nothing can be written to", "--out")
    cli("eval", trained, "--out", "x.json").refuses("--out x.json: nothing can be written")


def test_a_missing_name_is_said(cli, trained) -> None:
    cli("eval", trained, "--metric", "ood+").refuses("'ood+': a name is missing", "a+b")


def test_a_metric_that_is_not_installed_is_named_and_refused_where_training_goes_on(cli, trained, plugin) -> None:
    shutil.copytree(trained, "mine")
    recipe = Path("mine/recipe.toml")
    recipe.write_text(recipe.read_text() + '\n[[metric]]\nuse = "absent"\n\n[[metric]]\nuse = "spread"\n')
    answer = cli("eval", "mine", "-n", 8, "--n-data", 30, "--plugin", plugin)
    assert answer.status == 0 and "spread of samples" in answer.out
    assert "Left out: metric absent of the recipe, which no installed plugin gives" in answer.err
    cli("resume", "mine", "--steps", 6).refuses("was made with metric absent")
    assert "absent" in recipe.read_text()


def test_the_weights_that_are_set_are_judged(cli, plugin) -> None:
    averaged_at_once = ("--set", "run.ema_half_life=50", "--set", "run.ema_copy_steps=0")
    cli("run", *TOY, "--steps", 4, *averaged_at_once, "--out", "run")
    for how in (("--last-weights", "--plugin", plugin), ("--set", "eval.weights=last"), ()):
        answer = cli("eval", "run", "--metric", "spread", "-n", 20, *how)
        assert answer.status == 0, answer.err
    by_flag, by_setting, averaged = read_evaluations(Path("run"))
    assert (by_flag.weights, by_setting.weights, averaged.weights) == ("last", "last", "averaged")
    assert by_flag["spread"] == by_setting["spread"] != averaged["spread"]


def test_an_earlier_checkpoint_is_judged_and_sampled(cli, plugin) -> None:
    cli("run", *TOY, "--steps", 6, "--set", "checkpoint.every=2", "--set", "checkpoint.keep=2", "--out", "run")
    answer = cli("eval", "run", "--metric", "spread", "-n", 20, "--step", 4, "--plugin", plugin)
    assert answer.status == 0, answer.err
    assert [found.step for found in read_evaluations(Path("run"))] == [4]
    assert "4 training steps" in cli("sample", "run", "-n", 2, "--step", 4, "--out", "x.npz").out
    cli("eval", "run", "--step", 2).refuses("keeps no checkpoint of step 2. It keeps: 4, 6.")
