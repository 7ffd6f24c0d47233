"""What a stranger's metric may do wrong, and what it is told; the other metrics keep their numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ebmkit
from ebmkit import Estimate, Measured, Subject
from ebmkit.errors import DataError, PluginError
from ebmkit.training.checker.streams import GlobalStreams
from tests.evaluation.moments import register, small_model
from tests.runs.watch.test_judging import RECIPE


def measured(value: Any = 1.0, error: Any = 0.1, n: Any = 3, better: Any = "", **more: Any) -> Measured:
    estimate = Estimate(value=value, error=error, n=n, better=better)
    return Measured(**{"estimates": {"a": estimate}, "definition": "a number", **more})


@dataclass(frozen=True)
class Stranger:
    found: Callable[[Subject], Any]

    def measure(self, subject: Subject) -> Any:
        return self.found(subject)


def evaluated(found: Callable[[Subject], Any]) -> ebmkit.Evaluation:
    return ebmkit.evaluate(small_model(), Stranger(found), n=8, n_data=8, transitions=1)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (lambda s: {"a": 1.0}, "to return ebmkit.Measured, found dict"),
        (lambda s: measured(value=torch.tensor(1.0)), "the value of 'a' is no Python number but Tensor"),
        (lambda s: measured(error="much"), "the error of 'a' is no Python number but str"),
        (lambda s: measured(error=-1.0), "not below 0"),
        (lambda s: measured(n=2.5), "a whole number"),
        (lambda s: measured(better="more"), "'lower', 'higher', ''"),
        (lambda s: measured(estimates={"a": 1.0}), "ebmkit.Estimate, found 'a': float"),
        (lambda s: measured(definition=" "), "no definition"),
        (lambda s: measured(notes="one"), "tuple of sentences"),
        (lambda s: measured(histograms={"h": torch.zeros(3)}), "histogram 'h'"),
        (lambda s: measured(pictures={"p": torch.zeros(3)}), "picture 'p'"),
        (lambda s: measured(value=1 / len(())), "failed: ZeroDivisionError"),
        (lambda s: (s.samples().x.zero_(), measured())[1], "changed the samples.*clone"),
    ],
)  # fmt: skip
def test_a_broken_promise_names_the_metric_and_what_to_mend(found: Callable[[Subject], Any], message: str) -> None:
    with pytest.raises(PluginError, match=f"Metric '?stranger.*{message}"):
        evaluated(found)


def test_global_streams_follow_from_the_seed_and_are_as_before() -> None:
    def draws(subject: Subject) -> Measured:
        np.random.rand()
        return measured(value=float(torch.rand(())))

    torch.manual_seed(1)
    streams = GlobalStreams.now()
    one = evaluated(draws)
    assert not streams.advanced()
    torch.manual_seed(2)
    assert evaluated(draws)["stranger"] == one["stranger"]


def test_its_own_refusal_is_kept() -> None:
    def refuses(subject: Subject) -> Any:
        raise DataError("too few")

    with pytest.raises(DataError, match=r"^too few$"):
        evaluated(refuses)


def test_an_error_of_one_value_is_none_and_a_histogram_of_nothing_finite_is_empty() -> None:
    nothing = {"h": {"s": torch.tensor([float("nan")])}}
    found = evaluated(lambda s: measured(error=float("nan"), n=1, histograms=nothing)).metric("stranger")
    assert found.estimates["a"].error is None
    assert found.histograms["h"] == {"edges": [], "counts": {}}


def test_changed_samples_are_drawn_anew_for_the_others() -> None:
    register()
    spoils = Stranger(lambda s: (s.samples().x.zero_(), measured())[1])
    alone, after = (
        ebmkit.evaluate(small_model(), metrics, n=8, n_data=8, transitions=1)
        for metrics in ("moments", [spoils, "moments"])
    )
    assert after["moments"] == alone["moments"] and list(after.failures) == ["stranger"]


def test_one_that_crashes_does_not_end_a_run(tmp_path: Path) -> None:
    ebmkit.register(
        ebmkit.Component(kind="metric", name="crashing", build=f"{__name__}:build_crashing", summary="for tests")
    )
    notes: list[str] = []
    run = ebmkit.run(RECIPE.replace('"moments"', '"crashing"'), tmp_path / "run", note=notes.append)
    assert run.step == 6
    assert any("not evaluated. Metric crashing failed: KeyError: 'x'" in note for note in notes)


def build_crashing(config: Any, context: Any) -> Stranger:
    def crash(subject: Subject) -> Any:
        raise KeyError("x")

    return Stranger(crash)
