"""What is damaged in a run is named, and the run goes on from what is whole, bit for bit."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ebmkit
from ebmkit.errors import CheckpointError, DataError, RecipeError, RunError
from ebmkit.runs.checkpoints import checkpoint

RECIPE: dict[str, Any] = {
    "run": {"steps": 8, "batch_size": 4, "engine": "eager", "checked_steps": 0},
    "data": {"use": "toy"},
    "energy": {"use": "mlp", "widths": [4]},
    "log": {"every": 1},
    "checkpoint": {"every": 2},
    "pictures": {"every": 4, "n": 4},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole") / "run"
    ebmkit.run(RECIPE, directory)
    return directory


@pytest.fixture
def half(whole: Path, tmp_path: Path) -> Path:
    """A run that was killed after step 6."""

    def stop(progress: Any) -> None:
        if progress.step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ebmkit.run(RECIPE, tmp_path / "run", watch=stop)  # of one name: pictures bear it
    return tmp_path / "run"


def held(directory: Path) -> dict[str, bytes]:
    patterns = ("metrics.jsonl", "samples/*.png", "checkpoints/step-00000008/*.safetensors")
    return {str(p.relative_to(directory)): p.read_bytes() for pattern in patterns for p in directory.glob(pattern)}


def flip(path: Path, place: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["energy", "ema.energy", "optim.energy", "buffer", "tuning", "state.json"])
def test_the_checkpoint_before_a_damaged_one_is_taken_and_the_damaged_one_named(
    name: str, whole: Path, half: Path
) -> None:
    damaged = checkpoint.latest(half) / (name if "json" in name else f"{name}.safetensors")
    flip(damaged, 0.9)
    told: list[str] = []
    ebmkit.resume(half, note=told.append)
    assert len(told) == 1 and str(damaged) in told[0] and "checkpoint before it is taken, of step 4" in told[0]
    assert held(half) == held(whole)
    assert (half / "checkpoints" / "damaged-step-00000006").is_dir()


def test_a_recipe_of_more_steps_is_no_damage_to_the_checkpoint_before(tmp_path: Path) -> None:
    ebmkit.run(RECIPE, tmp_path / "run")
    ebmkit.resume(tmp_path / "run", steps=10)
    flip(checkpoint.latest(tmp_path / "run") / "energy.safetensors", 0.9)
    told: list[str] = []
    ebmkit.resume(tmp_path / "run", note=told.append)
    assert len(told) == 1 and "of step 8" in told[0]


def test_a_damaged_checkpoint_is_not_sampled_from_in_silence(half: Path, caplog: pytest.LogCaptureFixture) -> None:
    flip(checkpoint.latest(half) / "buffer.safetensors", 0.9)
    assert ebmkit.load(half).step == 6 and not caplog.records, "the model does not need the chains"
    flip(checkpoint.latest(half) / "ema.energy.safetensors", 0.9)
    assert ebmkit.load(half).step == 4
    assert "ema.energy.safetensors is damaged" in caplog.text and "of step 4" in caplog.text


def test_where_all_are_damaged_it_is_said_what_to_do(whole: Path, half: Path) -> None:
    for path in checkpoint.checkpoints(half / "checkpoints"):
        flip(path / "energy.safetensors", 0.9)
    with pytest.raises(CheckpointError, match=r"step-00000006.*remove .*checkpoints, and the run starts over"):
        ebmkit.resume(half)
    shutil.rmtree(half / "checkpoints")
    ebmkit.resume(half)
    assert held(half) == held(whole)


@pytest.mark.parametrize("place", [0.02, 0.4])
def test_a_damaged_log_is_named_and_kept(place: float, half: Path) -> None:
    flip(half / "metrics.jsonl", place)
    spoiled = (half / "metrics.jsonl").read_bytes()
    told: list[str] = []
    ebmkit.resume(half, note=told.append)
    assert len(told) == 1 and "metrics.jsonl is damaged" in told[0] and "until step 6" in told[0]
    assert (half / "damaged-metrics.jsonl").read_bytes() == spoiled


@pytest.mark.parametrize("name", ["recipe.toml", "environment.json", "samples/step-00000004.png"])
def test_damage_beside_the_checkpoints_is_named(name: str, half: Path) -> None:
    if name == "recipe.toml":
        text = (half / name).read_text()
        (half / name).write_text(re.sub("lr = .*", "lr = 0.0003", text))
        assert (half / name).read_text() != text
    else:
        data = (half / name).read_bytes()
        (half / name).write_bytes(data.replace(b'"seed": 0', b'"seed": 1') if "json" in name else data[:-3] + b"abc")
    told: list[str] = []
    ebmkit.resume(half, note=told.append)
    assert len(told) == 1 and name in told[0] and "damaged or changed" in told[0]


def test_a_damaged_recipe_that_means_nothing_is_named(half: Path) -> None:
    path = half / "recipe.toml"
    path.write_text(path.read_text().replace("batch_size", "batbh_size"))
    with pytest.raises(RecipeError, match=r"recipe.toml: .*no setting 'batbh_size'"):
        ebmkit.resume(half)


def test_a_damaged_recipe_is_named_in_a_directory_called_as_a_table(
    half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(half.parent)
    path = half / "recipe.toml"
    path.write_text(path.read_text().replace("batch_size", "batbh_size"))
    with pytest.raises(RecipeError, match=r"^run/recipe.toml: .*no setting 'batbh_size'"):
        ebmkit.resume("run")


def test_what_went_before_a_checkpoint_is_not_lost_with_a_kill_before_it(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*given: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    asked = {**RECIPE, "checkpoint": {"every": 8}, "eval": {"every": 8, "n": 8}, "metric": [{"use": "chains"}]}
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("ebmkit.runs.kept.checkpoint.save", killed)
        ebmkit.run(asked, tmp_path / "run")
    assert (tmp_path / "run" / "samples" / "step-00000008.png").exists(), "the picture was there first"
    assert (tmp_path / "run" / "evaluation" / "step-00000008.json").exists()
    ebmkit.resume(tmp_path / "run")
    assert held(tmp_path / "run") == held(whole)


def test_a_picture_is_whole_or_not_there(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ebmkit.runs.log import pictures

    original, calls = pictures.save_plane, list[int]()

    def killed(path: Path, *given: Any, **more: Any) -> None:
        calls.append(1)
        original(path, *given, **more)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(pictures, "save_plane", killed)
        ebmkit.run(RECIPE, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "samples").iterdir()] == ["step-00000004.png"]
    ebmkit.resume(tmp_path / "run")
    assert held(tmp_path / "run") == held(whole)


def test_other_threads_and_another_torch_are_said_on_resuming(half: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebmkit.runs.files.environment.torch.get_num_threads", lambda: 7)
    monkeypatch.setattr("ebmkit.runs.files.environment.versions", lambda: {"torch": "9.9"})
    told: list[str] = []
    ebmkit.resume(half, note=told.append)
    assert len(told) == 1 and "threads 1, now 7; torch 2" in told[0] and "now 9.9" in told[0]


def test_a_class_whose_name_cannot_be_kept_is_refused_at_the_start(tmp_path: Path) -> None:
    for name in (b"cats", b"dogs\xff"):
        folder = os.fsencode(tmp_path / "data") + b"/" + name
        Path(os.fsdecode(folder)).mkdir(parents=True)
        for i in range(8):
            Image.fromarray(np.full((8, 8), 20 * i, dtype=np.uint8)).save(os.fsdecode(folder + b"/%d.png" % i))
    asked = {
        **RECIPE, "data": {"use": "folder", "path": str(tmp_path / "data"), "size": 8}, "energy": {"use": "resnet"},
    }  # fmt: skip
    with pytest.raises(DataError, match=r"'dogs.*' has a name that is no UTF-8.*rename its folder"):
        ebmkit.run(asked, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_one_error_also_for_tensorboard(
    half: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    from ebmkit.runs.log.board import Board

    board = Board(half / "tensorboard", after=0)
    monkeypatch.setattr(board._records, "_writer", Full())
    with pytest.raises(RunError, match=r"events\.out.* could not be written.*No space left.*and resume"):
        board.write(1, {"loss": 1.0})
    board.close()
    assert "Traceback" not in capfd.readouterr().err
