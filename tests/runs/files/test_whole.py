"""Laws of files and folders that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebmkit.runs.files.whole import written_whole


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    for before in ((), ("old",)):
        for text in before:
            (tmp_path / "x.png").write_text(text)
        with pytest.raises(KeyboardInterrupt), written_whole(tmp_path / "x.png") as fresh:
            assert fresh.suffix == ".png"
            fresh.write_text("half")
            raise KeyboardInterrupt
        assert [path.read_text() for path in tmp_path.iterdir()] == list(before)


def test_a_folder_replaces_a_folder_and_what_was_left_beside_it(tmp_path: Path) -> None:
    for name in ("step", ".writing-step"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").touch()
    with written_whole(tmp_path / "step") as fresh:
        fresh.mkdir()
        (fresh / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["step", "new"]


def test_a_file_never_replaces_a_folder(tmp_path: Path) -> None:
    (tmp_path / "runs.json" / "mine").mkdir(parents=True)
    with pytest.raises(IsADirectoryError), written_whole(tmp_path / "runs.json") as fresh:
        fresh.write_text("numbers")
    assert [path.name for path in tmp_path.rglob("*")] == ["runs.json", "mine"]
