"""Laws of observers, the parts of a recipe that watch its run: what they are told, and that they change nothing."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import ebmkit
from ebmkit.errors import CapabilityError, DivergenceError, PluginError, RecipeError, RunError
from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import read_recipe
from ebmkit.runs.checkpoints.checkpoint import latest, load
from ebmkit.runs.checkpoints.taking import flatten
from ebmkit.runs.log.logbook import read_metrics

RECIPE: dict[str, Any] = {
    "run": {"steps": 4, "batch_size": 8},
    "data": {"use": "toy"},
    "energy": {"use": "mlp", "widths": [4]},
    "sampler": [{"use": "sgld", "moves": 2}],
    "log": {"every": 2, "tensorboard": False},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DiaryConfig:
    """Writes down what it is told.

    Attributes:
        fails: the method that fails.
        ink: of the entries.
    """

    fails: str = ""
    ink: str = "blue"


class Diary:
    """Fails where it is told to, and draws from every global stream there is."""

    seen: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, config: DiaryConfig = DiaryConfig(), context: Any = None) -> None:
        self.config, self.context = config, context

    def start(self, run: Any) -> None:
        self._write("start", run.first_step, run.steps)

    def step(self, report: Any, run: Any) -> None:
        assert set(report.values) >= {f"loss.{name}" for name in report.losses}
        assert report.phases.positive.x.shape == (8, 2)
        self._write("step", report.step)

    def end(self, run: Any, ending: Any) -> None:
        self._write("end", ending.how, ending.step, type(ending.error).__name__)

    def _write(self, what: str, *more: Any) -> None:
        torch.manual_seed(random.randrange(100)), torch.randn(3)
        self.seen.append((what, *more))
        if what == self.config.fails:
            raise ValueError("no ink")


class Full(Diary):
    """Is told everything that there is."""

    def alarm(self, found: Any, run: Any) -> None:
        self._write("alarm", found.step, found.name, found.text)

    def picture(self, path: Path, step: int, run: Any) -> None:
        assert path.is_file()
        self._write("picture", step, path.name)

    def evaluation(self, found: ebmkit.Evaluation, run: Any) -> None:
        self._write("evaluation", found.step)


def declared(**more: Any) -> ebmkit.Component:
    given = {"config": DiaryConfig, "build": f"{__name__}:Diary", "summary": "a diary", **more}
    return ebmkit.Component(kind="observer", name="diary", **given)


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Offers an observer for a test, and forgets it."""
    known = Host()
    known.discover()
    monkeypatch.setattr("ebmkit.plugins.host._host", known)
    Diary.seen.clear()
    yield lambda **more: known.register(declared(**more))


def same(*directories: Path) -> bool:
    """Returns whether the newest checkpoints of two runs hold the same weights, chains and moments, to the bit."""
    ours, theirs = ({**load(latest(directory)).tensors} for directory in directories)
    assert ours.keys() == theirs.keys() and ours
    pairs = [(flatten(ours[name]), flatten(theirs[name])) for name in ours]
    return all(a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a) for a, b in pairs)


def recipe(*, observer: bool = True, **settings: Any) -> dict[str, Any]:
    return {**RECIPE, "observer": [{"use": "diary", **settings}]} if observer else RECIPE


def test_an_observer_is_told_of_a_run_and_of_its_going_on(offer: Any, tmp_path: Path) -> None:
    offer()
    ebmkit.run(recipe(ink="red"), tmp_path / "run")
    assert Diary.seen == [("start", 1, 4), ("step", 1), ("step", 2), ("step", 4), ("end", "finished", 4, "NoneType")]
    Diary.seen.clear()
    assert read_recipe(tmp_path / "run" / "recipe.toml").parts["observer"][0].settings == {"fails": "", "ink": "red"}
    ebmkit.resume(tmp_path / "run", steps=5)
    assert Diary.seen == [("start", 5, 5), ("step", 5), ("end", "finished", 5, "NoneType")]


def test_a_run_with_observers_is_bit_for_bit_the_run_without(offer: Any, tmp_path: Path) -> None:
    offer(build=f"{__name__}:Full")
    for name in ("with", "without"):
        ebmkit.run(recipe(observer=name == "with"), tmp_path / name)
    assert same(tmp_path / "with", tmp_path / "without")
    assert read_metrics(tmp_path / "with") == read_metrics(tmp_path / "without")
    assert len([seen for seen in Diary.seen if seen[0] == "step"]) == 3


def test_it_is_told_of_pictures_evaluations_and_alarms_where_it_wants_to_be(
    offer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(build=f"{__name__}:Full")
    finding = type("Found", (), {"step": 3, "name": "gap", "text": "The gap runs away."})
    monkeypatch.setattr("ebmkit.runs.watch.alarms.RunAlarms.look", lambda self, r: [finding] if r.step == 3 else [])
    judged = {"eval": {"every": 4, "n": 8, "n_data": 8}, "metric": [{"use": "chains"}]}
    ebmkit.run({**recipe(), **judged}, tmp_path / "run")
    assert [seen[:3] for seen in Diary.seen[3:]] == [
        ("alarm", 3, "gap"),
        ("step", 4),
        ("picture", 4, "step-00000004.png"),
        ("evaluation", 4),
        ("end", "finished", 4),
    ]


@pytest.mark.parametrize("method", ["start", "step", "end"])
def test_one_that_fails_is_named_and_the_run_goes_on_without_it(method: str, offer: Any, tmp_path: Path) -> None:
    offer()
    after = "The run itself is complete" if method == "end" else r"take use = .* out of .*recipe\.toml, and go on with"
    with pytest.raises(PluginError, match=rf"Observer diary: its {method} failed .*: ValueError: no ink.*{after}"):
        ebmkit.run(recipe(fails=method), tmp_path / "run")
    how = [seen[1] for seen in Diary.seen if seen[0] == "end"]
    assert how == {"start": [], "step": ["failed"], "end": ["finished"]}[method], "the end is told once"
    if method != "end":
        text = (tmp_path / "run" / "recipe.toml").read_text(encoding="utf-8")
        (tmp_path / "run" / "recipe.toml").write_text(text.replace('fails = "', 'fails = "no-more-'), encoding="utf-8")
        assert ebmkit.resume(tmp_path / "run").step == 4
    ebmkit.run(recipe(observer=False), tmp_path / "without")
    assert same(tmp_path / "run", tmp_path / "without")


def test_a_step_in_which_one_fails_is_kept(offer: Any, tmp_path: Path) -> None:
    offer()
    with pytest.raises(PluginError, match="at step 1"):
        ebmkit.run(recipe(fails="step"), tmp_path / "run")
    assert load(latest(tmp_path / "run")).step == 1
    assert [entry["step"] for entry in read_metrics(tmp_path / "run")] == [1]


def test_the_end_is_told_once_however_a_run_ends(offer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer()
    with pytest.raises(RunError, match="Interrupted"):
        ebmkit.run(
            recipe(), tmp_path / "run", watch=lambda p: os.kill(os.getpid(), signal.SIGINT) if p.step == 2 else None
        )
    assert Diary.seen[-1] == ("end", "interrupted", 2, "Interrupted")
    Diary.seen.clear()

    def diverge(*given: Any, **more: Any) -> Any:
        raise DivergenceError("nan")

    monkeypatch.setattr("ebmkit.runs.loop.train_step", diverge)
    with pytest.raises(DivergenceError):
        ebmkit.run(recipe(), tmp_path / "other")
    assert Diary.seen == [("start", 1, 4), ("end", "failed", 0, "DivergenceError")]


def test_fit_takes_an_observer_by_name_by_settings_or_built(offer: Any, tmp_path: Path) -> None:
    offer()
    x, how = torch.randn(64, 2), {"steps": 1, "batch_size": 8, "progress": False}
    for observer in ("diary", DiaryConfig(ink="red"), Diary(), [Diary(), Full()]):
        ebmkit.fit("mlp", x, observer=observer, **how)
    assert [seen[0] for seen in Diary.seen].count("end") == 5
    ebmkit.fit("mlp", "toy:rings", observer=Diary(), out=tmp_path / "run", **how)
    Diary.seen.clear()
    assert ebmkit.load(tmp_path / "run").step == 1, "a model does without its observers"
    with pytest.raises(RecipeError, match="handed over"):
        ebmkit.resume(tmp_path / "run", steps=2)
    ebmkit.resume(tmp_path / "run", steps=2, given={"observer": Diary()})
    assert Diary.seen[-1] == ("end", "finished", 2, "NoneType")


def test_a_run_is_loaded_without_its_observer_and_goes_on_with_it_only(
    offer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer()
    ebmkit.run(recipe(), tmp_path / "run")
    bare = Host()
    bare.discover()
    monkeypatch.setattr("ebmkit.plugins.host._host", bare)
    assert ebmkit.load(tmp_path / "run").step == 4
    with pytest.raises(RecipeError, match="observer diary"):
        ebmkit.resume(tmp_path / "run", steps=5)


def test_one_that_cannot_work_is_refused_before_anything_is_written(offer: Any, tmp_path: Path) -> None:
    offer(refuse=lambda config, selection: "it needs a pen")
    with pytest.raises(CapabilityError, match="it needs a pen"):
        ebmkit.run(recipe(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_observer_asks_nothing_of_others() -> None:
    with pytest.raises(PluginError, match="'diary': an observer changes nothing of a run, so it has no needs"):
        declared(needs=(ebmkit.Need("point.level"),))
    with pytest.raises(PluginError, match="no gives and no includes"):
        declared(gives=("pen",), includes=(ebmkit.Include("sampler", "mala"),))


def test_a_part_that_is_no_observer_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"observer 'object': object has no `start` \(the method \(run\)"):
        ebmkit.fit("mlp", torch.randn(64, 2), observer=object(), steps=1, progress=False, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
