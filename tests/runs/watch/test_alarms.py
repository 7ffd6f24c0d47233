"""Laws of the alarms of a run: those that go wrong stop early and say why; no number of a run is another with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.assembly.complete import complete
from ebmkit.cli.main import main
from ebmkit.errors import DivergenceError
from ebmkit.runs.checkpoints import checkpoint

DOCS = Path(__file__).parents[3] / "docs"
WRONG = {
    "learning rate": 1, "sgd": 6, "mala": 4, "levels": 17, "step size": 22, "range": 30, "data scale": 31, "nan": 32,
}  # fmt: skip
"""Quick ones among the runs of docs/alarms_runs.py, counted from 1."""


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The script that counts, with the broken parts of its runs registered for a test."""
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.setattr("ebmkit.plugins.host._host", None)
    import alarms_measured

    for component in alarms_measured.COMPONENTS:
        ebmkit.register(component)
    yield alarms_measured
    for name in ("alarms_measured", "alarms_runs", "alarms_parts"):
        del sys.modules[name]


@pytest.mark.parametrize("name", WRONG)
def test_a_run_that_goes_wrong_stops_with_the_right_line(name: str, measured: Any) -> None:
    good, line = measured.judged(measured.WRONG[WRONG[name] - 1], WRONG[name])
    assert good, line


def test_there_are_enough_runs_to_count(measured: Any) -> None:
    assert len(measured.WRONG) >= 30 and len(measured.HEALTHY) >= 30
    assert all(planned.lines for planned in measured.WRONG)
    for planned in (*measured.WRONG, *measured.HEALTHY):
        assert complete(measured.recipe_of(planned)).dataset is not None


def asked(*, lr: float, steps: int, alarms: bool = True) -> dict[str, Any]:
    return {
        "run": {"steps": steps, "batch_size": 16, "engine": "eager", "alarms": alarms},
        "data": {"use": "toy", "density": "rings"},
        "energy": {"use": "mlp", "widths": [16]},
        "buffer": {"use": "replay", "capacity": 64},
        "sampler": [{"use": "sgld", "moves": 5}],
        "optim": {"energy": {"lr": lr}},
        "log": {"every": 10, "tensorboard": False},
        "checkpoint": {"every": 15},
    }


def test_no_number_of_a_run_is_another_with_alarms(tmp_path: Path) -> None:
    for name, alarms in (("with", True), ("without", False)):
        ebmkit.run(asked(lr=1e-3, steps=30, alarms=alarms), tmp_path / name)
    one, two = tmp_path / "with", tmp_path / "without"
    assert (one / "metrics.jsonl").read_text() == (two / "metrics.jsonl").read_text()
    assert not (one / "alarms.jsonl").exists()
    first, second = (checkpoint.load(checkpoint.latest(path)).tensors for path in (one, two))
    for part, values in first.items():
        assert all(torch.equal(value, second[part][key]) for key, value in values.items()), part


def test_warnings_are_told_and_written_down(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(DivergenceError, match=r"Step \d+: The energies have left their scale.*The run was stopped"):
        ebmkit.run(asked(lr=30.0, steps=100), tmp_path / "run", note=told.append)
    lines = [json.loads(line) for line in (tmp_path / "run" / "alarms.jsonl").read_text().splitlines()]
    assert lines[-1]["kind"] == "stop" and lines[-1]["alarm"] == "energy-scale"
    assert {line["kind"] for line in lines[:-1]} == {"warning"}
    assert all(line["value"] > 0 and "gap" in line["signals"] for line in lines)
    assert any(text.startswith("Warning: Step ") for text in told)
    assert checkpoint.latest(tmp_path / "run")


def test_without_a_note_warnings_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DivergenceError):
        ebmkit.run(asked(lr=30.0, steps=100), tmp_path / "run")
    assert {record.name for record in caplog.records} == {"ebmkit.alarms"}


def test_alarms_can_be_switched_off(tmp_path: Path) -> None:
    assert ebmkit.run(asked(lr=1.0, steps=40, alarms=False), tmp_path / "run").step == 40


def test_a_fit_without_a_directory_stops_too() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.SiLU(), torch.nn.Linear(16, 1))
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(DivergenceError, match=r"Lower the learning rate.*The run was stopped"):
        ebmkit.fit(net, x, sampler="sgld", objective="cd", lr=30.0, steps=100, progress=False)


def test_on_resuming_what_was_found_later_is_dropped(tmp_path: Path) -> None:
    with pytest.raises(DivergenceError):
        ebmkit.run(asked(lr=30.0, steps=100), tmp_path / "run")
    path = tmp_path / "run" / "alarms.jsonl"
    found = path.read_text()
    path.write_text(found + '{"step": 99, "alarm": "gap"}\n')
    with pytest.raises(DivergenceError):
        ebmkit.resume(tmp_path / "run")
    assert path.read_text() == found, "the run goes wrong once more, as one that had not stopped"


def test_the_command_ends_with_status_1_and_the_diagnosis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = "run --data toy:rings --set optim.energy.lr=1 --set run.engine=eager --set log.tensorboard=false --out"
    assert main([*flags.split(), str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert "The energies have left their scale" in said and "Lower the learning rate" in said
    assert int(said.split("Error: Step ")[1].split(":")[0]) <= 200


def test_a_run_that_an_alarm_stopped_says_so_when_it_goes_on(tmp_path: Path) -> None:
    told: list[str] = []
    asked = {
        "run": {"steps": 200, "checked_steps": 0},
        "data": {"use": "toy"},
        "optim": {"energy": {"lr": 1.0}},
        "checkpoint": {"every": 10},
        "log": {"tensorboard": False},
    }
    with pytest.raises(ebmkit.DivergenceError):
        ebmkit.run(asked, tmp_path / "run")
    with pytest.raises(ebmkit.DivergenceError):
        ebmkit.resume(tmp_path / "run", note=told.append)
    assert "stopped this run at step" in told[0] and "wants a new run" in told[0]
