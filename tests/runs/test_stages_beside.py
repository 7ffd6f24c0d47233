"""Laws of what surrounds a run with stages: rollbacks, observers, reports, and a directory that holds another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ebmkit
from ebmkit.assembly.complete import complete
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.host import host
from ebmkit.runs.run import train_or_resume

BASE: dict[str, Any] = {
    "run": {"batch_size": 32, "engine": "eager", "checked_steps": 0},
    "data": {"use": "toy", "density": "rings"},
    "energy": {"use": "mlp", "widths": [32]},
    "log": {"every": 10, "tensorboard": False},
    "checkpoint": {"every": 15},
    "pictures": {"every": 1000, "n": 4},
}
WARM = {"name": "warm", "steps": 12, "objective": [{"use": "sliced-score-matching"}]}
EXACT = {"name": "exact", "steps": 30, "sampler": [{"use": "sgld", "moves": 5}], "objective": [{"use": "cd"}]}


def asked(*stages: Any, **run: Any) -> dict[str, Any]:
    return {**BASE, "run": {**BASE["run"], **run}, "stage": list(stages)}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def held(directory: Path) -> dict[str, bytes]:
    patterns = ("*.jsonl", "checkpoints/*/*.safetensors")
    return {str(p.relative_to(directory)): p.read_bytes() for pattern in patterns for p in directory.glob(pattern)}


@pytest.mark.parametrize("stopped", [0, 14, 38])
def test_a_stage_goes_back_to_where_it_began_and_not_beyond(stopped: int, tmp_path: Path) -> None:
    wild = {**EXACT, "optim": {"energy": {"lr": 30.0}}}
    recipe = asked({**WARM, "optim": {"energy": {"lr": 1e-3}}}, wild, rollbacks=2, rollback_rate=1e-5)
    told: list[str] = []
    calls: list[int] = []

    def stop(progress: Any) -> None:
        calls.append(progress.step)
        if len(calls) == stopped:
            raise KeyboardInterrupt

    if stopped:
        with pytest.raises(KeyboardInterrupt):
            ebmkit.run(recipe, tmp_path / "run", watch=stop, note=told.append)
        assert ebmkit.resume(tmp_path / "run", note=told.append).step == 42
    else:
        assert ebmkit.run(recipe, tmp_path / "run", note=told.append).step == 42
    (entry,) = [line for line in lines(tmp_path / "run" / "alarms.jsonl") if line["kind"] == "rollback"]
    assert entry["to"] == 12 and entry["rate"] == 1e-5 and any("goes back to step 12" in line for line in told)
    logged = {line["step"]: line for line in lines(tmp_path / "run" / "metrics.jsonl")}
    assert list(logged) == [1, 10, 12, 13, 20, 30, 40, 42]
    assert [step for step, line in logged.items() if line.get("rollbacks") == 1] == [13, 20, 30, 40, 42]
    if stopped:
        ebmkit.run(recipe, tmp_path / "whole")
        assert held(tmp_path / "whole") == held(tmp_path / "run")


def test_who_watches_sees_one_run(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Watching:
        @ebmkit.hookimpl
        def ebmkit_run_start(self, run: Any) -> None:
            seen.append(("start", run.first_step, run.steps))

        @ebmkit.hookimpl
        def ebmkit_on_step(self, report: Any) -> None:
            seen.append((report.step, report.values["stage"]))

        @ebmkit.hookimpl
        def ebmkit_run_end(self, ending: Any) -> None:
            seen.append(("end", ending.how, ending.step))

    plugin = Watching()
    host()._manager.register(plugin, name="dist-watching 1:watching")
    try:
        ebmkit.run(asked(WARM, {**EXACT, "steps": 2}), tmp_path / "run")
    finally:
        host()._manager.unregister(plugin)
    assert seen == [("start", 1, 14), (1, 1), (10, 1), (12, 1), (13, 2), (14, 2), ("end", "finished", 14)]


def test_a_report_says_where_each_stage_begins(tmp_path: Path) -> None:
    short = {**EXACT, "steps": 8, "buffer": {"use": "replay", "capacity": 64}}
    ebmkit.run(asked(WARM, short), tmp_path / "run")
    page = ebmkit.report(tmp_path / "run", sampling=False).read_text()
    assert "warm from step 1, exact from step 13" in page and "stage exact begins" in page
    assert "objective, stage warm" in page and "sampler, stage exact" in page and "Finished: 20 steps" in page


def test_one_command_starts_and_goes_on_and_another_recipe_is_refused(tmp_path: Path) -> None:
    short = {**EXACT, "steps": 4}
    ebmkit.run(asked(WARM, short), tmp_path / "run")
    assert train_or_resume(complete(asked(WARM, short)), tmp_path / "run") is None
    longer = train_or_resume(complete(asked(WARM, {**short, "steps": 6})), tmp_path / "run")
    assert longer is not None and longer.step == 18
    for others, said in (
        ([WARM], "stages warm, exact, now warm"),
        ([{**WARM, "steps": 11}, short], "different: stage warm"),
        ([WARM, {**short, "sampler": [{"use": "mala"}]}], "different: .*stage exact"),
        ([{**WARM, "optim": {"energy": {"lr": 0.5}}}, short], "different: stage warm"),
    ):
        with pytest.raises(RecipeError, match=said):
            train_or_resume(complete(asked(*others)), tmp_path / "run")


def test_what_cannot_work_in_a_later_stage_is_refused_before_the_first_step(tmp_path: Path) -> None:
    starved = {**EXACT, "objective": [{"use": "improved-cd"}], "buffer": {"use": "replay", "capacity": 40}}
    with pytest.raises(
        CapabilityError, match=r"Stage 'exact': .* reference rows are wanted beside a batch of 32 chains"
    ):
        ebmkit.run(asked(WARM, starved), tmp_path / "run")
    assert not (tmp_path / "run").exists()
