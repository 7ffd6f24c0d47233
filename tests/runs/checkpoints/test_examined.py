"""All sealed files of a run are looked at, also those that nothing would read, and each is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import ebmkit
from ebmkit.errors import CheckpointError
from ebmkit.runs.checkpoints.beside import Grown
from ebmkit.runs.checkpoints.checkpoint import latest, load
from ebmkit.runs.checkpoints.examined import examine
from ebmkit.runs.files.seal import seal

RECIPE: dict[str, Any] = {
    "run": {"steps": 8, "batch_size": 4, "engine": "eager", "checked_steps": 0},
    "data": {"use": "toy"},
    "energy": {"use": "mlp", "widths": [4]},
    "log": {"every": 1},
    "checkpoint": {"every": 2},
    "pictures": {"every": 4, "n": 4},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped after step 6, and goes on to 8."""
    directory = tmp_path_factory.mktemp("made") / "run"
    ebmkit.run({**RECIPE, "run": {**RECIPE["run"], "steps": 6}}, directory)
    return directory


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


SEALED = (
    "checkpoints/step-00000004/energy.safetensors", "checkpoints/step-00000004/state.json",
    "checkpoints/step-00000006/buffer.safetensors", "tensorboard/events*", "samples/step-00000004.png", "metrics.jsonl",
    "environment.json",
)  # fmt: skip


def test_a_whole_run_is_whole(run: Path) -> None:
    found = examine(run)
    assert not found.wrong and list(found.checkpoints) == ["step-00000004", "step-00000006"]
    assert found.n_files == sum(1 for path in run.rglob("*") if path.is_file() and path.name != "state.json")
    assert found.n_bytes > 10_000


@pytest.mark.parametrize("pattern", SEALED)
def test_whatever_is_damaged_is_named(pattern: str, run: Path) -> None:
    (path,) = run.glob(pattern)
    flip(path)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    (wrong,) = examine(run).wrong
    assert str(path) in wrong
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}, "and nothing is changed"


@pytest.mark.parametrize("pattern", SEALED)
def test_it_is_named_on_resuming_too(pattern: str, run: Path) -> None:
    (path,) = run.glob(pattern)
    flip(path)
    told: list[str] = []
    ebmkit.resume(run, steps=8, note=told.append)
    assert [text for text in told if path.name in text and "damaged" in text], told


def test_what_was_written_after_the_checkpoint_is_no_damage(run: Path) -> None:
    (events,) = run.glob("tensorboard/*")
    for path in (events, run / "metrics.jsonl"):
        path.write_bytes(path.read_bytes() + b'{"step": 7}\n')
    assert not examine(run).wrong


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no run"):
        examine(tmp_path)


def test_of_a_file_that_grows_only_what_is_new_is_read(tmp_path: Path) -> None:
    path, grown = tmp_path / "events", Grown()
    for more in (b"one", b"", b"two" * 10**6):
        with path.open("ab") as file:
            file.write(more)
        grown = grown.read_on(path)
        assert grown.seal == seal(path)
    path.write_bytes(b"less")
    assert grown.read_on(path).seal == seal(path), "and one that was cut is read anew"


def test_a_checkpoint_seals_the_events_as_far_as_they_went(run: Path) -> None:
    (events,) = run.glob("tensorboard/*")
    sealed = load(latest(run)).beside[f"tensorboard/{events.name}"]
    assert 0 < sealed.size <= events.stat().st_size
