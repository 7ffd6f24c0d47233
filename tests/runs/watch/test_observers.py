"""Laws of the hooks of a run: they see its start, its logged steps and its end, however it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.errors import DivergenceError, PluginError, RunError
from ebmkit.plugins.host import host

RECIPE: dict[str, Any] = {
    "run": {"steps": 4, "batch_size": 8},
    "data": {"use": "toy"},
    "energy": {"use": "mlp", "widths": [4]},
    "sampler": [{"use": "sgld", "moves": 2}],
    "log": {"every": 2, "tensorboard": False},
}


class Diary:
    """Writes down what it sees; fails where it is told to."""

    def __init__(self, fails: str = "", error: BaseException | None = None) -> None:
        self.fails, self.error = fails, error or ValueError("no ink")
        self.seen: list[tuple[Any, ...]] = []
        self.run: Any = None

    @ebmkit.hookimpl
    def ebmkit_run_start(self, run: Any) -> None:
        self.run = run
        self._write("start", run.first_step, run.steps)

    @ebmkit.hookimpl
    def ebmkit_on_step(self, run: Any, report: Any) -> None:
        assert run is self.run
        self._write("step", report.step)

    @ebmkit.hookimpl
    def ebmkit_run_end(self, run: Any, ending: Any) -> None:
        self._write("end", ending.how, ending.step, type(ending.error).__name__)

    def _write(self, what: str, *more: Any) -> None:
        self.seen.append((what, *more))
        if what == self.fails:
            raise self.error


@pytest.fixture
def keep() -> Iterator[Any]:
    """Registers plugins for a test."""
    kept: list[object] = []

    def register(plugin: Any) -> Any:
        host()._manager.register(plugin, name=f"dist-{len(kept)} 1:diary-{len(kept)}")
        kept.append(plugin)
        return plugin

    yield register
    for plugin in kept:
        host()._manager.unregister(plugin)


def test_a_run_is_seen_from_its_start_to_its_end_and_where_it_goes_on(keep: Any, tmp_path: Path) -> None:
    diary = keep(Diary())
    ebmkit.run(RECIPE, tmp_path / "mine")
    assert diary.seen == [("start", 1, 4), ("step", 1), ("step", 2), ("step", 4), ("end", "finished", 4, "NoneType")]
    assert (diary.run.name, diary.run.directory) == ("mine", tmp_path / "mine")
    assert diary.run.recipe.part("energy").use == "mlp" and diary.run.recipe.table("run").engine == "eager"
    diary.seen.clear()
    ebmkit.resume(tmp_path / "mine", steps=5)
    assert diary.seen == [("start", 5, 5), ("step", 5), ("end", "finished", 5, "NoneType")]


def test_a_hook_may_take_less_than_there_is(keep: Any, tmp_path: Path) -> None:
    class Short:
        ends = 0

        @ebmkit.hookimpl
        def ebmkit_run_start(self) -> None: ...

        @ebmkit.hookimpl
        def ebmkit_run_end(self, ending: Any) -> None:
            self.ends += 1

    short = keep(Short())
    ebmkit.run(RECIPE, tmp_path / "run")
    assert short.ends == 1


def test_the_end_of_a_run_that_diverges_is_seen_with_its_error(
    keep: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary = keep(Diary())

    def diverge(*given: Any, **more: Any) -> Any:
        raise DivergenceError("nan")

    monkeypatch.setattr("ebmkit.runs.loop.train_step", diverge)
    with pytest.raises(DivergenceError):
        ebmkit.run(RECIPE, tmp_path / "run")
    assert diary.seen == [("start", 1, 4), ("end", "failed", 0, "DivergenceError")]


def test_the_end_of_an_interrupted_run_is_seen(keep: Any, tmp_path: Path) -> None:
    diary = keep(Diary())
    with pytest.raises(RunError, match="Interrupted after step 2"):
        ebmkit.run(
            RECIPE, tmp_path / "run", watch=lambda p: os.kill(os.getpid(), signal.SIGINT) if p.step == 2 else None
        )
    assert diary.seen[-1] == ("end", "interrupted", 2, "Interrupted")


@pytest.mark.parametrize("error", [ValueError("no ink"), SystemExit(0)])
def test_a_hook_that_fails_at_the_start_names_its_plugin_and_everybody_sees_the_end(
    error: BaseException, keep: Any, tmp_path: Path
) -> None:
    other, failing = keep(Diary()), keep(Diary("start", error))
    with pytest.raises(PluginError, match=r"diary-1.*ebmkit_run_start failed before the first step.*ebmkit resume"):
        ebmkit.run(RECIPE, tmp_path / "run")
    assert [seen[:2] for seen in other.seen] == [("end", "failed")]
    host()._manager.unregister(failing)
    assert ebmkit.resume(tmp_path / "run").step == 4
    host()._manager.register(failing, name="dist-1 1:diary-1")


def test_a_hook_that_fails_at_the_end_keeps_nobody_from_seeing_it(keep: Any, tmp_path: Path) -> None:
    other = keep(Diary())
    keep(Diary("end"))
    with pytest.raises(PluginError, match=r"diary-1.*ebmkit_run_end failed after step 4: ValueError: no ink"):
        ebmkit.run(RECIPE, tmp_path / "run")
    assert other.seen[-1] == ("end", "finished", 4, "NoneType")
    assert ebmkit.load(tmp_path / "run").step == 4, "the run itself is complete"


def test_what_ended_a_run_is_told_before_a_hook_that_fails_at_its_end(
    keep: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(Diary("end"))
    with pytest.raises(RunError, match="Interrupted"):
        ebmkit.run(
            RECIPE, tmp_path / "run", watch=lambda p: os.kill(os.getpid(), signal.SIGINT) if p.step == 1 else None
        )
    assert "diary-0: its ebmkit_run_end failed after step 1" in caplog.text


def test_a_run_without_a_directory_is_seen_too(keep: Any) -> None:
    diary = keep(Diary("step"))
    net = torch.nn.Linear(2, 1)
    with pytest.raises(PluginError, match=r"failed at step 1.*leave it out with EBMKIT_PLUGINS\.$"):
        ebmkit.fit(net, torch.randn(50, 2), steps=2, progress=False)
    assert diary.run.directory is None and diary.run.name == "run" and diary.seen[-1][:2] == ("end", "failed")
