"""Laws of the report: one sound page from whatever a directory holds, and a word on what is missing from it."""

from __future__ import annotations

import json
from math import inf, nan
from pathlib import Path

import pytest

import ebmkit
from ebmkit.errors import CheckpointError, RecipeError
from ebmkit.runs.files.directory import remove_run
from ebmkit.runs.outputs.report import names, report
from tests.evaluation.report.reading import Page, sound
from tests.runs.reported import HOSTILE, RECIPE, a_run, evaluation, metrics

ALARM = {"step": 20, "alarm": "gap", "kind": "warning", "value": 7.0, "signals": {}}


def page_of(*runs: Path, **how: object) -> Page:
    """Returns the page on runs whose models are not asked."""
    path = report(list(runs), **{"sampling": False, **how})  # type: ignore[arg-type]
    return sound(path.read_text(encoding="utf-8"))


def holds(page: Page, *words: str) -> None:
    assert [word for word in words if word not in page.text] == []


def test_one_run_has_everything_that_its_files_tell(tmp_path: Path) -> None:
    run = a_run(tmp_path / "moons", alarms=[ALARM], evaluations=[evaluation(20), evaluation(40, 0.5)])
    page = page_of(run)
    holds(page, "moons", "mlp on toy:moons", "Gap E⁺ − E⁻", "The gap has left its scale", "the fd of fd", "0.50 ± 0.10")
    holds(page, "Over training", "step 40", "@misc{ebmkit2026", "Roberts", "Share of each level", "torch 2")
    assert {"curves", "alarms", "metrics", "pictures", "parts", "cite", "left-out"} <= page.ids
    assert page.tags.count("img") == 5, "the newest picture, three of training, one of the metric"


def test_the_page_is_a_function_of_the_directory(tmp_path: Path) -> None:
    run = a_run(tmp_path / "moons", evaluations=[evaluation(40)])
    first = report(run, sampling=False).read_bytes()
    assert report(run, tmp_path / "again.html", sampling=False).read_bytes() == first


def test_nothing_that_a_run_is_called_becomes_markup(tmp_path: Path) -> None:
    recipe = RECIPE.replace('density = "moons"', f"density = {json.dumps(HOSTILE)}")
    recipe = recipe.replace('use = "mlp"', f"use = {json.dumps(HOSTILE)}")
    run = a_run(
        tmp_path / "<b onload=x> & 'q'",
        recipe=recipe,
        logged=metrics(5, **{HOSTILE: 1.0, f"level.0.{HOSTILE}": 2.0, f"loss.{HOSTILE}": 1.0}),
        alarms=[{**ALARM, "alarm": HOSTILE, "kind": "stop", "value": HOSTILE}],
        evaluations=[evaluation(40, word=HOSTILE), evaluation(50, word=HOSTILE)],
        environment={"device": HOSTILE, "versions": {HOSTILE: HOSTILE}, "commit": HOSTILE, "python": [HOSTILE]},
    )
    page = page_of(run)
    assert "alert(2)" in page.text and "<b onload=x>" in page.text
    assert "onerror" not in page.handlers


def test_numbers_that_are_not_finite_are_marked(tmp_path: Path) -> None:
    rows = metrics(30)
    for row, value in zip(rows, [nan, inf, -inf, 1e300], strict=False):
        row["gap"] = value
    page = page_of(a_run(tmp_path / "moons", logged=rows))
    assert "3 logged values that are not finite" in page.text


def test_a_long_run_is_a_small_page(tmp_path: Path) -> None:
    run = a_run(tmp_path / "moons", logged=metrics(20_000))
    assert report(run, sampling=False).stat().st_size < 600_000


def test_a_run_that_stopped_before_its_first_step(tmp_path: Path) -> None:
    (tmp_path / "moons").mkdir()
    (tmp_path / "moons" / "recipe.toml").write_text(RECIPE)
    page = page_of(tmp_path / "moons")
    for words in (
        "No step of it is logged yet",
        "no finished checkpoint",
        "environment.json cannot be read",
        "no curves",
    ):
        assert words in page.text, words


def test_a_run_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    run = a_run(tmp_path / "moons", recipe=RECIPE.replace('use = "mlp"', 'use = "of-a-plugin"'))
    page = page_of(run, sampling=True)
    assert "energy of-a-plugin, which no installed plugin gives" in page.text
    assert "no installed plugin gives it" in page.text


@pytest.mark.parametrize(
    ("file", "text", "word"),
    [
        ("recipe.toml", "energy = [", "Its recipe cannot be read"),
        ("metrics.jsonl", "[1]\n{\n\udcff", "there are no curves"),
        ("alarms.jsonl", '{"step": 3}\n7\n', "Alarms"),
        ("environment.json", "[]", "Training"),
        ("environment.json", "{", "Versions and device"),
        ("samples/step-00000040.png", "no picture", "step 20"),
        ("evaluation/step-00000040.json", "{", "Metrics of step-00000040.json"),
        ("evaluation/step-00000040.json", "[]", "Metrics of step-00000040.json"),
        ("evaluation/step-00000040.json", '{"version": 9}', "of version 9"),
        ("evaluation/step-00000040.json", '{"version": 1, "metrics": 3}', "Metrics of step-00000040.json"),
        ("evaluation/step-x.json", "{", "the fd of fd"),
    ],
)
def test_damaged_files_cost_no_more_than_their_part(tmp_path: Path, file: str, text: str, word: str) -> None:
    run = a_run(tmp_path / "moons", evaluations=[evaluation(40)])
    (run / file).write_text(text, encoding="utf-8", errors="surrogateescape")
    assert word in page_of(run).text


def test_several_runs_side_by_side(tmp_path: Path) -> None:
    worse = a_run(tmp_path / "a" / "moons", evaluations=[evaluation(40, 5.0)])
    better = a_run(
        tmp_path / "b" / "moons", recipe=RECIPE.replace("moves = 2", "moves = 9"), evaluations=[evaluation(40)]
    )
    path = report([worse, better], tmp_path / "both.html", sampling=False)
    html = path.read_text(encoding="utf-8")
    page = sound(html)
    assert "a/moons" in page.text and "b/moons" in page.text
    assert "sampler.mala.moves" in page.text and "sampler.mala.use" not in page.text
    assert '<span class="best">1.00 ± 0.10 nats</span>' in html and ">5.00 ± 0.10 nats</span>" not in html


def test_names_tell_runs_apart(tmp_path: Path) -> None:
    paths = [tmp_path / "x" / "run", tmp_path / "y" / "run", tmp_path / "y" / "run"]
    assert names(paths) == ["x/run", "y/run (1)", "y/run (2)"]
    assert names(paths[:1]) == ["run"]


def test_bad_requests_are_told_before_anything_is_written(tmp_path: Path) -> None:
    run = a_run(tmp_path / "moons")
    with pytest.raises(CheckpointError, match="holds no run"):
        report([run, tmp_path])
    with pytest.raises(RecipeError, match="at least one chain"):
        report(run, n=0)
    with pytest.raises(RecipeError, match="name its directory"):
        report([])
    with pytest.raises(RecipeError, match="is a folder"):
        report(run, tmp_path)
    with pytest.raises(RecipeError, match="Make it first"):
        report(run, tmp_path / "none" / "page.html")
    assert not (run / "report.html").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ebmkit.Run:
    recipe = {
        "data": {"use": "fashion-mini", "limit": 64},
        "energy": {"use": "resnet", "widths": [4, 4]},
        "sampler": {"use": "sgld", "moves": 2},
        "buffer": {"use": "replay", "capacity": 16},
        "run": {"steps": 2, "batch_size": 4},
        "log": {"every": 1},
    }
    return ebmkit.run(recipe, tmp_path_factory.mktemp("trained") / "small")


def test_a_model_shows_chains_their_way_and_energies(trained: ebmkit.Run, tmp_path: Path) -> None:
    first = ebmkit.report(trained, tmp_path / "a.html", n=5).read_bytes()
    page = sound(first.decode())
    holds(page, "5 fresh chains of step 2", "From noise to image", "start", "Training time", "steps/s")
    holds(page, "training data", "test data", "uniform noise", "constant images", "Energy on the way")
    assert "Left out" not in page.text
    assert ebmkit.report(trained.directory, tmp_path / "b.html", n=5).read_bytes() == first


def test_what_a_model_cannot_show_is_left_out(trained: ebmkit.Run, tmp_path: Path, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a stranger's fault")

    monkeypatch.setattr("ebmkit.evaluation.report.asked.sampled", broken)
    page = sound(ebmkit.report(trained, tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "Fresh chains: ZeroDivisionError: a stranger's fault" in page.text
    assert "training data" in page.text and "From noise" not in page.text


def test_missing_data_are_told_and_the_rest_is_shown(trained: ebmkit.Run, tmp_path: Path, monkeypatch) -> None:
    def absent(*_: object) -> None:
        raise ebmkit.DataError("there are no files")

    monkeypatch.setattr("ebmkit.evaluation.run_data.build_dataset", absent)
    page = sound(ebmkit.report(trained, tmp_path / "a.html", n=2).read_text(encoding="utf-8"))
    assert "Energies of training data: there are no files" in page.text
    assert "uniform noise" in page.text and "2 fresh chains" in page.text


def test_a_new_run_in_a_directory_leaves_no_page_on_the_old_one(tmp_path: Path) -> None:
    path = report(a_run(tmp_path / "moons"), sampling=False)
    remove_run(path.parent)
    assert not path.exists()


def test_chains_that_take_too_long_are_given_up(trained: ebmkit.Run, tmp_path: Path) -> None:
    page = sound(ebmkit.report(trained, tmp_path / "a.html", seconds=0).read_text(encoding="utf-8"))
    holds(page, "Fresh chains: the chains were given up after 0 s", "training data", "uniform noise")
    assert "From noise" not in page.text
