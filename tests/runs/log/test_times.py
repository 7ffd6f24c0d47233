"""Laws of training times: what TensorBoard's files hold, pauses and steps that were made twice left out."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.runs.log.logbook import Logbook
from ebmkit.runs.log.times import training_seconds


def events(*times: tuple[int, float]) -> bytes:
    """Returns a file of events at steps and times, with another field behind each."""
    return b"".join(_framed(struct.pack("<Bd", 0x09, at) + b"\x10" + _varint(step) + b"\x2a\x00") for step, at in times)


def _framed(body: bytes) -> bytes:
    return struct.pack("<QI", len(body), 0) + body + b"\0\0\0\0"


def _varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def written(directory: Path, *files: bytes) -> Path:
    (directory / "tensorboard").mkdir(exist_ok=True)
    for i, data in enumerate(files):
        (directory / "tensorboard" / f"events.out.tfevents.{100 + i}.host").write_bytes(data)
    return directory


def test_seconds_since_the_first_logged_step(tmp_path: Path) -> None:
    run = written(tmp_path, events((1, 1e9), (1, 1e9 + 0.5), (200, 1e9 + 3), (70_000, 1e9 + 9)))
    assert training_seconds(run) == {1: 0.0, 200: 3.0, 70_000: 9.0}


def test_pauses_do_not_count_and_steps_made_again_count_once(tmp_path: Path) -> None:
    run = written(tmp_path, events((1, 0.0), (10, 5.0), (20, 9.0)), events((11, 1000.0), (20, 1004.0)))
    assert training_seconds(run) == {1: 0.0, 10: 5.0, 11: 5.0, 20: 9.0}


def test_it_reads_what_the_logbook_writes(tmp_path: Path) -> None:
    book = Logbook(tmp_path, tensorboard=True)
    for step in (1, 300, 20_000):
        book.write(step, {"gap": 1.0, "energy": 2.0})
    book.close()
    found = training_seconds(tmp_path)
    assert list(found) == [1, 300, 20_000] and found[1] == 0.0 and 0 <= found[20_000] < 60


def test_without_files_there_are_no_times(tmp_path: Path) -> None:
    assert training_seconds(tmp_path) == {}


@pytest.mark.parametrize("cut", [5, 20, 31, 40])
def test_half_a_file_tells_what_it_holds(cut: int, tmp_path: Path) -> None:
    found = training_seconds(written(tmp_path, events((1, 0.0), (2, 1.0))[:cut]))
    assert found in ({}, {1: 0.0})


@given(st.binary(max_size=200))
def test_no_file_is_too_damaged(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        assert isinstance(training_seconds(written(Path(folder), data)), dict)
