"""Evaluation in training: the same numbers as afterwards, and a run that does not notice."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ebmkit
from ebmkit import Component, Estimate, Measured, Subject
from ebmkit.errors import CapabilityError, DataError
from ebmkit.evaluation.evaluate import judge, metrics_of
from ebmkit.evaluation.record import as_json, read_evaluations
from ebmkit.plugins.component import Need, NoConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host

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


class Moments:
    def measure(self, subject: Subject) -> Measured:
        x, data = subject.samples().x, subject.held_out().x
        energy = subject.energy(data)
        found = {"mean": x.mean(), "energy": energy.mean(), "noise": torch.rand((), generator=subject.rng("moments"))}
        return Measured(
            estimates={key: Estimate(value=float(value), error=0.1, n=len(x)) for key, value in found.items()},
            definition="moments of samples and of energies",
            histograms={"energy": {"data": energy}},
        )


class Failing:
    def measure(self, subject: Subject) -> Measured:
        raise DataError("there is no number to be had")


def build_moments(config: NoConfig, context: BuildContext) -> Moments:
    return Moments()


def build_failing(config: NoConfig, context: BuildContext) -> Failing:
    return Failing()


PARTS = {"moments": (), "failing": (), "needing": (Need("energy.latent", otherwise="Train one"),)}


@pytest.fixture(autouse=True)
def registered() -> None:
    for name, needs in PARTS.items():
        build = f"{__name__}:build_{'failing' if name == 'failing' else 'moments'}"
        if name not in host().names("metric"):
            ebmkit.register(Component(kind="metric", name=name, build=build, summary="for tests", needs=needs))


def numbers(evaluation: ebmkit.Evaluation) -> object:
    found = as_json(evaluation)
    for entry in found["metrics"]:
        entry.pop("seconds")
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
    with pytest.raises(CapabilityError, match=r"Metric needing needs energy\.latent.*Train one"):
        ebmkit.run(RECIPE.replace("moments", "needing"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
