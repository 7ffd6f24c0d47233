"""A run that is told to stop saves what it made, says how to go on, and goes on bit for bit."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import ebmkit
from ebmkit.errors import RunError
from ebmkit.runs.interrupt import SIGNALS, TRY_AGAIN, Interrupted, stoppable

RECIPE: dict[str, Any] = {
    "run": {"steps": 6, "batch_size": 4, "engine": "eager", "checked_steps": 0},
    "data": {"use": "toy"},
    "energy": {"use": "mlp", "widths": [4]},
    "log": {"tensorboard": False, "every": 1},
    "pictures": {"every": 3, "n": 4},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole") / "run"
    ebmkit.run(RECIPE, directory)
    return directory


def same(one: Path, two: Path) -> None:
    for pattern in ("metrics.jsonl", "samples/*.png", "checkpoints/step-00000006/*.safetensors"):
        left, right = ({p.relative_to(d): p.read_bytes() for p in d.glob(pattern)} for d in (one, two))
        assert left == right and left


def kills(number: int, step: int) -> Any:
    return lambda progress: os.kill(os.getpid(), number) if progress.step == step else None


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_lets_the_step_end_and_saves(
    number: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(number)
    if before is signal.SIG_IGN:  # as under nohup, where a run ignores it too
        signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(
            Interrupted, match=r"after step 2 of 6 \(.*a checkpoint is saved. Go on with: ebmkit resume"
        ) as e:
            ebmkit.run(RECIPE, tmp_path / "run", watch=kills(number, 2))
        assert e.value.exit_status == (1 if number == signal.SIGINT else TRY_AGAIN)
    finally:
        signal.signal(number, before)
    assert signal.getsignal(number) is before
    ebmkit.resume(tmp_path / "run")
    same(whole, tmp_path / "run")


def test_a_signal_during_the_last_step_changes_nothing(whole: Path, tmp_path: Path) -> None:
    assert ebmkit.run(RECIPE, tmp_path / "run", watch=kills(signal.SIGTERM, 6)).step == 6
    same(whole, tmp_path / "run")


def test_a_limit_of_time_saves_and_the_run_goes_on(whole: Path, tmp_path: Path) -> None:
    asked = {**RECIPE, "run": {**RECIPE["run"], "max_minutes": 1e-9}}
    with pytest.raises(Interrupted, match=r"run\.max_minutes.*nothing to save yet.*ebmkit resume"):
        ebmkit.run(asked, tmp_path / "run")
    path = tmp_path / "run" / "recipe.toml"
    path.write_text("".join(line for line in path.open() if "max_minutes" not in line))
    ebmkit.resume(tmp_path / "run")
    same(whole, tmp_path / "run")


@pytest.mark.parametrize("number", [n for n in SIGNALS if n != getattr(signal, "SIGHUP", None)])
def test_a_signal_while_a_run_starts_ends_it_with_one_message(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def assemble(*given: Any, **more: Any) -> Any:
        os.kill(os.getpid(), number)
        raise AssertionError("it was told to stop")

    with monkeypatch.context() as patched, pytest.raises(Interrupted, match=r"before the first step. Nothing is lost"):
        patched.setattr("ebmkit.runs.run.assemble", assemble)
        ebmkit.run(RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_part_that_swallows_the_request_only_delays_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ebmkit.runs import run

    original = run.assemble

    def assemble(*given: Any, **more: Any) -> Any:
        with suppress(BaseException):  # as where a stranger's code is imported
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*given, **more)

    monkeypatch.setattr("ebmkit.runs.run.assemble", assemble)
    with pytest.raises(Interrupted, match=r"after step 0 of 6 \(SIGTERM\)"):
        ebmkit.run(RECIPE, tmp_path / "run")


def test_the_echo_of_a_signal_is_not_heard_and_an_impatient_person_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with stoppable() as stop, stop.stepping():
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        assert stop.why == "SIGTERM"
        monkeypatch.setattr("ebmkit.runs.interrupt.TWICE", 0.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable() as stop, stop.stepping():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.asked()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_gone_ends_a_run_as_a_signal_does(whole: Path, tmp_path: Path) -> None:
    def gone(progress: Any) -> None:
        if progress.step == 2:
            raise OSError(5, "Input/output error")

    with pytest.raises(Interrupted, match=r"after step 2 of 6 \(the end of its output\); a checkpoint is saved"):
        ebmkit.run(RECIPE, tmp_path / "run", watch=gone)
    ebmkit.resume(tmp_path / "run")
    same(whole, tmp_path / "run")


@pytest.mark.parametrize("where", ["train_step", "assemble"])
def test_a_part_that_ends_the_program_is_an_error(
    where: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ebmkit.runs import loop

    original, calls = loop.train_step, list[int]()

    def leaves(*given: Any, **more: Any) -> Any:
        calls.append(1)
        if where == "assemble" or len(calls) == 4:
            raise SystemExit(0)
        return original(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(f"ebmkit.runs.{'loop' if where == 'train_step' else 'run'}.{where}", leaves)
        with pytest.raises(
            RunError, match=r"A part ended the program, SystemExit\(0\) in .*test_interrupt.py, line"
        ) as e:
            ebmkit.run({**RECIPE, "checkpoint": {"every": 2}}, tmp_path / "run")
    assert e.value.exit_status == 1
    if where == "train_step":
        assert "making step 4. Go on with: ebmkit resume" in str(e.value)
        ebmkit.resume(tmp_path / "run")
        same(whole, tmp_path / "run")
