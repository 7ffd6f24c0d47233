"""An evaluation is the same after it was written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.errors import DataError
from ebmkit.evaluation.record import as_json, binned, from_json, judgement, read_evaluations
from ebmkit.protocols.metric import Estimate, Measured
from ebmkit.runs.log.evaluated import save_evaluation
from tests.evaluation.moments import register, small_model


@pytest.fixture
def evaluation() -> ebmkit.Evaluation:
    register()
    return ebmkit.evaluate(small_model(), "moments", n=10, n_data=10, transitions=2)


def test_written_and_read_with_its_pictures(evaluation: ebmkit.Evaluation, tmp_path: Path) -> None:
    first = save_evaluation(tmp_path, evaluation)
    second = save_evaluation(tmp_path, evaluation)
    assert [first.name, second.name] == ["step-00000002.json", "step-00000002-2.json"]
    found = read_evaluations(tmp_path)
    assert len(found) == 2 and str(found[0]) == str(evaluation)
    picture = found[1].metric("moments").pictures["a view"]
    assert picture == "step-00000002-2-moments-a-view.png" and (first.parent / picture).is_file()


def test_pictures_of_a_metric_that_is_measured_twice_stand_beside_each_other(tmp_path: Path) -> None:
    register()
    twice = ebmkit.evaluate(small_model(), ["moments", "moments"], n=10, n_data=10, transitions=2)
    save_evaluation(tmp_path, twice)
    save_evaluation(tmp_path, twice, tmp_path / "x.json")
    save_evaluation(tmp_path, twice, tmp_path / "x.json")
    names = [found.pictures["a view"] for found in read_evaluations(tmp_path)[0].metrics]
    assert names == [f"step-00000002-moments-a-view{again}.png" for again in ("", "-2")]
    assert sorted(path.name for path in tmp_path.glob("x*.png")) == ["x-moments-a-view-2.png", "x-moments-a-view.png"]


def test_order_is_by_step_then_by_number(evaluation: ebmkit.Evaluation, tmp_path: Path) -> None:
    folder = tmp_path / "evaluation"
    folder.mkdir()
    for name, seed in (("step-00000010-10", 3), ("step-00000010", 1), ("step-00000010-2", 2), ("step-00000002", 0)):
        raw = {**as_json(evaluation), "seed": seed}
        (folder / f"{name}.json").write_text(json.dumps(raw))
    assert [found.seed for found in read_evaluations(tmp_path)] == [0, 1, 2, 3]


def test_what_cannot_be_read_is_said(evaluation: ebmkit.Evaluation) -> None:
    raw = as_json(evaluation)
    with pytest.raises(DataError, match=r"x\.json is an evaluation of version 7"):
        from_json({**raw, "version": 7}, "x.json")
    with pytest.raises(DataError, match=r"x\.json is damaged"):
        from_json({key: value for key, value in raw.items() if key != "seed"}, "x.json")


def test_what_is_no_number_or_no_picture_beside_it_is_damage(evaluation: ebmkit.Evaluation) -> None:
    def damaged(change: Callable[[Any], object]) -> Any:
        raw = json.loads(json.dumps(as_json(evaluation)))
        metric = raw["metrics"][0]
        metric["histograms"] = {"t": {"edges": [0.0, 1.0], "counts": {"a": [3]}}}
        change(metric)
        return raw

    assert from_json(damaged(lambda metric: None), "x.json").metrics[0].histograms["t"]["counts"] == {"a": [3]}
    first = next(iter(evaluation.metrics[0].estimates))
    for change, words in (
        (lambda metric: metric.update(name=5), "name of a metric is 5"),
        (lambda metric: metric["estimates"][first].update(value="high"), f"value of {first} is 'high'"),
        (lambda metric: metric["estimates"].update(more=[1]), r"more is \[1\]"),
        (lambda metric: metric["pictures"].update(view=3), "the picture 3 is no file name"),
        (lambda metric: metric["histograms"]["t"].update(edges="x"), "edges of t is 'x'"),
        (lambda metric: metric["histograms"]["t"].update(counts={"a": [1, 2]}), "has 2 edges"),
        (lambda metric: metric["histograms"]["t"].update(counts={"a": ["<b>"]}), "no list of numbers"),
    ):
        with pytest.raises(DataError, match=rf"x\.json is damaged: .*{words}"):
            from_json(damaged(change), "x.json")


def test_a_number_that_is_nan_is_refused() -> None:
    measured = Measured({"a": Estimate(float("nan"), 0.1, 3)}, "a number")
    with pytest.raises(DataError, match="found no number for 'a': it is NaN"):
        judgement("m", {}, "", measured, 0.0)


def test_counts_over_shared_edges_lose_no_value() -> None:
    found = binned({"a": torch.randn(1000), "b": 5 + torch.randn(300), "none": torch.zeros(0)}, bins=20)
    assert len(found["edges"]) == 21 and {name: sum(n) for name, n in found["counts"].items()} == {"a": 1000, "b": 300}
    assert sum(binned({"same": torch.full((9,), 3.0)})["counts"]["same"]) == 9
