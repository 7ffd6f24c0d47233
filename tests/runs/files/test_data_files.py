"""A run remembers the files of its data: whatever has changed in them is named when it goes on."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ebmkit
from ebmkit.errors import DataError
from ebmkit.runs.files import data_files
from tests.soak.formats import DATA, WRITTEN, idx, npz_shards, pictures


def recipe(data: dict[str, Any], steps: int = 2) -> dict[str, Any]:
    return {
        "run": {"steps": steps, "batch_size": 4, "engine": "eager", "checked_steps": 0},
        "data": data, "energy": {"use": "mlp", "widths": [4]}, "sampler": [{"use": "sgld", "moves": 1}],
        "log": {"tensorboard": False}, "pictures": {"every": 2, "n": 1},
    }  # fmt: skip


def begun(write: Any, folder: Path) -> list[Path]:
    """Makes a run of two steps on a set that is written, in the present folder; returns the files of the set."""
    (folder / DATA).mkdir()
    ebmkit.run(recipe(write(Path(DATA))), "run", note=lambda text: None)
    return sorted(path for path in Path(DATA).rglob("*") if path.is_file())


def resumed() -> list[str]:
    told: list[str] = []
    ebmkit.resume("run", steps=4, note=told.append)
    return told


@pytest.mark.parametrize("write", WRITTEN)
def test_every_file_of_every_format_is_remembered(write: Any, tmp_path: Path) -> None:
    with chdir(tmp_path):
        files = begun(write, tmp_path)
        kept = json.loads(Path("run/environment.json").read_text())["data"]
    shared = Path(DATA)
    assert sorted(kept) == sorted(path.relative_to(shared).as_posix() for path in files)


def test_a_value_that_no_format_protects_is_named(tmp_path: Path) -> None:
    with chdir(tmp_path):
        images, _ = begun(idx, tmp_path)
        data = bytearray(images.read_bytes())
        data[100] ^= 1
        images.write_bytes(data)
        told = [text for text in resumed() if images.name in text]
    assert len(told) == 1 and "damaged or changed" in told[0] and "another run from here on" in told[0]


def test_gone_and_new_files_are_named(tmp_path: Path) -> None:
    with chdir(tmp_path):
        first, *_ = begun(pictures, tmp_path)
        first.rename(first.with_name("new.png"))
        told = "".join(resumed())
    assert f"{first.relative_to(DATA)}: it is gone" in told and "new.png: it is new" in told


def test_a_set_that_was_moved_or_linked_is_the_same(tmp_path: Path) -> None:
    with chdir(tmp_path):
        begun(npz_shards, tmp_path)
        shutil.move(DATA, "elsewhere")
        Path(DATA).symlink_to("elsewhere")
        assert not [text for text in resumed() if "changed" in text]


def test_of_a_set_too_large_to_be_read_again_the_sizes_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "MOST_BYTES", 10)
    with chdir(tmp_path):
        images, _ = begun(idx, tmp_path)
        kept = json.loads(Path("run/environment.json").read_text())["data"]
        assert all(digest == "" for _, digest in kept.values())
        images.write_bytes(images.read_bytes()[:-1])
        with pytest.raises(DataError, match=images.name):
            resumed()


@pytest.mark.parametrize("files", [None, ["a"], ("a",), 3, print])
def test_what_a_set_of_a_program_calls_files_may_be_anything(files: Any) -> None:
    assert data_files.data_seals(SimpleNamespace(files=files)) == {}  # type: ignore[arg-type]
