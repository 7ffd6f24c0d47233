from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from ebmkit.errors import CheckpointError, RunError
from ebmkit.runs.checkpoints.checkpoint import Saved, checkpoints, latest, load, save
from ebmkit.runs.checkpoints.chosen import of_step
from ebmkit.runs.checkpoints.taking import flatten, take, take_tensors, unflatten
from ebmkit.runs.files.seal import self_sealed


def saved(step: int) -> Saved:
    tensors = {"energy": {"w": torch.full((2, 3), float(step))}, "buffer": {"x": torch.arange(4, dtype=torch.uint8)}}
    return Saved(step=step, tensors=tensors, data={"event_shape": [2]})


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    again = load(save(tmp_path, saved(7), keep=2))
    assert again.step == 7
    assert again.data == {"event_shape": [2]}
    assert torch.equal(again.tensors["energy"]["w"], torch.full((2, 3), 7.0))
    assert again.tensors["buffer"]["x"].dtype == torch.uint8


def test_only_the_newest_stay(tmp_path: Path) -> None:
    for step in (5, 40, 300):
        save(tmp_path / "checkpoints", saved(step), keep=2)
    assert [path.name for path in checkpoints(tmp_path / "checkpoints")] == ["step-00000040", "step-00000300"]
    assert load(latest(tmp_path)).step == 300


def test_an_earlier_step_can_be_taken_and_one_that_is_gone_is_told(tmp_path: Path) -> None:
    for step in (5, 40, 300):
        save(tmp_path / "checkpoints", saved(step), keep=2)
    assert of_step(tmp_path, 40).step == 40
    with pytest.raises(CheckpointError, match=r"no checkpoint of step 5\. It keeps: 40, 300"):
        of_step(tmp_path, 5)


def test_nothing_is_half_there_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, saved(1), keep=2)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ebmkit.runs.checkpoints.checkpoint.save_file", full)
    with pytest.raises(RunError, match="No space left"):
        save(tmp_path, saved(2), keep=2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert load(tmp_path / "step-00000001").step == 1


@pytest.mark.parametrize("name", ["energy.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "nonsense"])
def test_damage_is_told(tmp_path: Path, name: str, damage: str) -> None:
    path = save(tmp_path, saved(1), keep=1) / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:20] if damage == "cut" else b"\x00nonsense")
    with pytest.raises(CheckpointError, match=name):
        load(tmp_path / "step-00000001")


@pytest.mark.parametrize("state", [[], {}, {"format": "other"}])
def test_a_foreign_checkpoint_is_refused(tmp_path: Path, state: object) -> None:
    (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(CheckpointError, match="is not a checkpoint of ebmkit"):
        load(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"files": 3},
        {"files": {"energy": 3}},
        {"files": {"../energy": [3, "ab"]}},
        {"beside": [3]},
        {"step": "7"},
        {"step": -1},
        {"data": []},
    ],
)
def test_a_damaged_state_is_told_and_what_to_do(tmp_path: Path, wrong: dict[str, object]) -> None:
    path = save(tmp_path, saved(1), keep=1)
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps(self_sealed(state | wrong)))
    with pytest.raises(CheckpointError, match=rf"state.json is damaged: {next(iter(wrong))}"):
        load(path)


def test_a_directory_without_any_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no finished checkpoint"):
        latest(tmp_path)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(CheckpointError, match="do not fit this recipe"):
        take(nn.Linear(2, 2), nn.Linear(3, 2).state_dict(), "energy")


@pytest.mark.parametrize("foreign", [{}, {"w": torch.ones(3)}, {"w": torch.ones(2), "v": torch.ones(2)}])
def test_tensors_of_another_run_are_refused_and_nothing_is_copied(foreign: dict[str, torch.Tensor]) -> None:
    own = {"w": torch.zeros(2)}
    with pytest.raises(CheckpointError, match=r"'ema.energy' does not fit this recipe"):
        take_tensors(own, foreign, "ema.energy")
    assert torch.equal(own["w"], torch.zeros(2))


def test_tuning_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"'a\.b' below a value"):
        unflatten({"a": torch.ones(()), "a.b": torch.ones(())})


def test_nested_tuning_is_flattened_and_back() -> None:
    tuning = {"step_size": torch.ones(()), "0": {"step_size": torch.zeros(3), "1": {"count": torch.ones(2)}}}
    flat = flatten(tuning)
    assert set(flat) == {"step_size", "0.step_size", "0.1.count"}
    assert unflatten(flat) == tuning
