"""`score`: a table of values, the same from Python, and a threshold that keeps its promise."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

import ebmkit


def table(path: str) -> dict[str, list[str]]:
    with Path(path).open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return {column[0]: list(column[1:]) for column in zip(*rows, strict=True)}


def saved(x: np.ndarray, name: str = "x.npz", **more: np.ndarray) -> str:
    np.savez(name, x=x.astype(np.float32), **more)
    return f"npz:{name}"


def test_a_value_each_and_the_same_from_python(cli, trained) -> None:
    x = np.random.default_rng(0).normal(size=(300, 2))
    answer = cli("score", trained, "--data", saved(x, y=np.arange(300) % 4), "--out", "v.csv")
    assert answer.status == 0
    found, run = table("v.csv"), ebmkit.load(trained)
    x32 = torch.from_numpy(x.astype(np.float32))
    values = ebmkit.ood_scores(run, x32)
    assert [float(text) for text in found["score"]] == values.tolist()
    assert torch.allclose(values, run.energy(x32).double(), atol=1e-5)
    assert found["row"] == [str(i) for i in range(300)] and found["label"] == [str(i % 4) for i in range(300)]
    detector = ebmkit.detector(run)
    assert found["flagged"] == [str(int(flag)) for flag in detector.flagged(x32)]
    n = found["flagged"].count("1")
    first, second = answer.out.splitlines()
    assert first.startswith(f"v.csv: 300 data, {n} flagged ({n / 3:.1f} % ± ")
    assert first.endswith(f"by energy > {detector.threshold:.6g} nats")
    assert second.startswith("threshold: a datum is flagged where its energy is above the threshold")
    assert second.endswith("fpr = 0.05, n = 5,000 test data")


@pytest.mark.parametrize("score", ["energy", "energy/T", "gradient-norm", "typicality"])
def test_data_of_the_run_are_flagged_at_the_rate_that_was_asked_for(cli, trained, score) -> None:
    answer = cli("score", trained, "--data", "toy:moons", "-n", 2000, "--fpr", 0.1, "--score", score, "--out", "v.csv")
    assert answer.status == 0, answer.err
    assert 0.07 < np.mean([flag == "1" for flag in table("v.csv")["flagged"]]) < 0.13


def test_far_away_is_flagged(cli, trained) -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)) + 1000
    assert cli("score", trained, "--data", saved(x), "--score", "typicality", "--out", "v.csv").status == 0
    assert set(table("v.csv")["flagged"]) == {"1"} and "label" not in table("v.csv")


def test_a_score_that_does_not_tell_a_set_apart_says_so(cli, trained) -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)) + 1000
    told = cli("score", trained, "--data", saved(x), "--score", "typicality", "--out", "v.csv")
    alike = cli("score", trained, "--data", "toy:moons", "-n", 500, "--score", "typicality", "--out", "v.csv")
    assert "50 flagged (100.0 % ± 1.9 %)" in told.out and not told.err
    assert "typicality does not tell them apart, or they are of the same law" in alike.err
    assert "--metric ood" in alike.err


def test_a_choice_of_rows_repeats_with_the_seed(cli, trained) -> None:
    data = saved(np.random.default_rng(0).normal(size=(300, 2)))
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        answer = cli("score", trained, "--data", data, "-n", 20, "--seed", seed, "--out", f"{name}.csv")
        assert answer.status == 0 and "20 data, " in answer.out
    a, b, c = (table(f"{name}.csv") for name in "abc")
    assert a == b and a["row"] != c["row"] and a["row"] == [str(row) for row in sorted(map(int, a["row"]))]


def test_images_of_another_size_are_told_and_so_is_a_missing_test_part(cli, small) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    np.savez("images.npz", x=levels)
    np.savez("large.npz", x=levels.repeat(2, axis=2).repeat(2, axis=3))
    flags = ("--energy", "mlp", "--data", "npz:images.npz", *small)
    assert cli("run", *flags, "--steps", 1, "--out", "x").status == 0
    answer = cli("score", "x", "--data", "npz:large.npz", "--out", "v.csv")
    assert answer.status == 0 and "n = 60 of the last training data" in answer.out
    told, calibration, _ = answer.err.splitlines()
    assert told.startswith("npz:large.npz: its images were taken from 1×16×16 to 1×8×8 (antialiased bicubic)")
    assert calibration.startswith("Calibration: the data of the run have no test part: its last 60 training data")


def test_what_cannot_be_scored_is_refused_and_nothing_is_written(cli, trained) -> None:
    bad = np.zeros((30, 2))
    bad[7] = np.nan
    good, wide = saved(np.zeros((30, 2)), "good.npz"), saved(np.zeros((30, 3)), "wide.npz")
    wrong = {
        ("--data", saved(bad, "bad.npz"), "--out", "v.csv"): "1 of 30 rows hold NaN or infinite values",
        ("--data", wide, "--out", "v.csv"): "holds x of shape [3], and the run knows [2]",
        ("--data", good, "--out", "no/v.csv"): "there is no folder no",
        ("--data", good, "--out", "v.txt"): "must end in .csv",
        ("--data", good, "--out", "v.csv", "--fpr", "0"): "between 0 and 1; found 0",
        ("--data", good, "--out", "v.csv", "--fpr", "0.0001"): "takes 9999 held-out data or more, found 5000",
        ("--data", good, "--out", "v.csv", "--score", "latent-joint"): "cannot be had",
        ("--data", good, "--out", "v.csv", "--score", "enrgy"): "Did you mean 'energy'",
        ("--data", "npz:none.npz", "--out", "v.csv"): "no such file",
        ("--data", "nmist", "--out", "v.csv"): "nmist",
        ("--data", good, "--out", "v.csv", "--device", "tpu9"): "tpu9",
    }  # fmt: skip
    for flags, words in wrong.items():
        cli("score", trained, *flags).refuses(words)
    cli("score", "none", "--data", good, "--out", "v.csv").refuses("none holds no run")
    assert not list(Path().glob("*v.csv"))


def test_the_metric_judges_the_same_scores(cli, trained) -> None:
    settings = ("--set", 'metric.ood.sets=["toy:moons", "uniform-noise"]', "--set", "metric.ood.resamples=20")
    answer = cli("eval", trained, "--metric", "ood", "--n-data", 300, *settings, "--out", "x.json")
    assert answer.status == 0, answer.err
    for words in ("toy, energy", "uniform-noise, feature-distance", "FPR95", "energy does not separate toy"):
        assert words in answer.out
    refused = cli("eval", trained, "--metric", "ood", "--set", 'metric.ood.sets=["nmist:x"]', "--out", "y.json")
    refused.refuses("nmist", "Built in are uniform-noise")
