"""Evaluation in training: the same numbers as afterwards, and a run that does not notice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

import ebmkit
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.evaluation.evaluate import judge, metrics_of
from ebmkit.evaluation.record import as_json, read_evaluations
from tests.evaluation.moments import register

RECIPE = """
[run]
steps = 6
batch_size = 16
engine = "eager"
[data]
use = "toy"
[energy]
use = "mlp"
widths = [16]
[buffer]
use = "replay"
capacity = 32
[eval]
every = 3
n = 20
n_data = 30
transitions = 4
[[metric]]
use = "moments"
"""

AVERAGED = """steps = 6
ema_half_life = 50
ema_copy_steps = 0"""


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


def numbers(evaluation: ebmkit.Evaluation) -> object:
    found = as_json(evaluation)
    for entry in found["metrics"]:
        del entry["seconds"], entry["pictures"]  # they are written afterwards
    return found["metrics"], found["sampling"], found["step"], found["seed"]


def test_a_number_in_training_is_that_of_the_finished_run(tmp_path: Path) -> None:
    run = ebmkit.run(RECIPE, tmp_path / "run")
    in_training = read_evaluations(tmp_path / "run")
    assert [found.step for found in in_training] == [3, 6]
    config = run.recipe.table("eval")
    afterwards = judge(run.model, metrics_of(run.model), config)
    assert numbers(in_training[-1]) == numbers(afterwards)
    assert numbers(in_training[0])[0] != numbers(afterwards)[0]  # type: ignore[index]
    assert numbers(ebmkit.evaluate(run, n=20, n_data=30, transitions=4)) == numbers(afterwards)
    other = ebmkit.evaluate(run, "moments", seed=1)
    assert other["moments"]["mean"] != afterwards["moments"]["mean"]


def test_the_run_does_not_notice(tmp_path: Path) -> None:
    with_it = ebmkit.run(RECIPE, tmp_path / "with")
    without = ebmkit.run(RECIPE.replace("every = 3", "every = 0"), tmp_path / "without")
    assert not (tmp_path / "without" / "evaluation").exists()
    for one, other in zip(with_it.energy.parameters(), without.energy.parameters(), strict=True):
        assert torch.equal(one, other)
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("with", "without")]
    assert lines[0] == lines[1]


def test_a_metric_that_fails_ends_neither_the_run_nor_the_others(tmp_path: Path) -> None:
    both = RECIPE + '[[metric]]\nuse = "failing"\n'
    notes: list[str] = []
    run = ebmkit.run(both, tmp_path / "run", note=notes.append)
    found = read_evaluations(tmp_path / "run")[-1]
    assert found.failures == {"failing": "there is no number to be had"}
    assert any("step 6: " in note and "failing failed" in note and "mean" in note for note in notes)
    with pytest.raises(DataError, match="no number to be had"):
        ebmkit.evaluate(run, "failing")


def test_what_a_metric_needs_is_told_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(CapabilityError, match=r"Metric needing needs .*energy\.latent.*Train one"):
        ebmkit.run(RECIPE.replace("moments", "needing"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_can_do_without_a_metric_that_is_not_installed(tmp_path: Path) -> None:
    ebmkit.run(RECIPE.replace("every = 3", "every = 0"), tmp_path / "run")
    recipe = tmp_path / "run" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('use = "moments"', 'use = "elsewhere"'))
    found = ebmkit.load(tmp_path / "run")
    assert "metric" not in found.recipe.parts
    assert found.evaluate("moments", n=5, n_data=5).metrics[0].name == "moments"


def test_the_weights_that_are_named_are_the_ones_that_are_judged(tmp_path: Path) -> None:
    last = RECIPE.replace("every = 3", 'every = 3\nweights = "last"').replace("steps = 6", AVERAGED)
    run = ebmkit.run(last, tmp_path / "run")
    in_training = read_evaluations(tmp_path / "run")[-1]
    of_last = ebmkit.evaluate(ebmkit.load(tmp_path / "run", averaged=False))
    of_averaged = run.evaluate()
    assert in_training.weights == of_last.weights == "last" and of_averaged.weights == "averaged"
    assert numbers(in_training) == numbers(of_last) != numbers(of_averaged)
    assert any("averaged=False" in note for note in of_averaged.notes)
    assert not any("weights" in note for note in of_last.notes)
    with pytest.raises(RecipeError, match=r"The last weights were asked for.*averaged ones.*averaged=False"):
        run.evaluate(weights="last")


def test_a_run_that_goes_on_from_its_middle_finds_the_same_numbers(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    ebmkit.run(RECIPE + "[checkpoint]\nevery = 3\n", directory)
    before = read_evaluations(directory)[-1]
    shutil.rmtree(directory / "checkpoints" / "step-00000006")
    (directory / "evaluation" / "step-00000006.json").unlink()
    ebmkit.resume(directory)
    assert numbers(read_evaluations(directory)[-1]) == numbers(before)
