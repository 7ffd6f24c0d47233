"""When each logged step of a run was made, as its TensorBoard files tell: they hold the clock, `metrics.jsonl` not."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ebmkit.plain_files import read_bytes

MOST = 2**28
"""Bytes of a file that is read."""
FRAME = 12, 4
"""Bytes before and after an event: its length (8) and two checksums."""
WALL_TIME, STEP = 0x09, 0x10
"""Tags of the two first fields of an event: a double, and a variable-length integer."""


def training_seconds(directory: Path) -> dict[int, float]:
    """Returns logged step → seconds of training since the first logged step, pauses between processes left out.

    Each file is of one process. Of a step that was made again after a resume, the later one counts. Files that are
    damaged or missing leave steps out.
    """
    passed, seconds = 0.0, dict[int, float]()
    for path in sorted((directory / "tensorboard").glob("events.*")):
        times = dict[int, float]()
        with suppress(OSError, struct.error):
            for step, at in _events(read_bytes(path, MOST)):
                times.setdefault(step, at)
        if not times:
            continue
        first = min(times)
        seconds = {step: s for step, s in seconds.items() if step < first}
        passed = max(seconds.values(), default=0.0)
        begun = times[first]
        seconds |= {step: passed + max(0.0, at - begun) for step, at in sorted(times.items())}
    return seconds


def _events(data: bytes) -> Iterator[tuple[int, float]]:
    """Yields step and time of each event of a file that has a step."""
    before, after = FRAME
    at = 0
    while at + before <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        body = data[at + before : at + before + length]
        if len(body) < length:
            return
        if length > 10 and body[0] == WALL_TIME and body[9] == STEP:
            yield _varint(body, 10), struct.unpack_from("<d", body, 1)[0]
        at += before + length + after


def _varint(body: bytes, at: int) -> int:
    """Returns the integer of 7 bits a byte, lowest first, that begins at a place."""
    value, shift = 0, 0
    while at < len(body):
        value |= (body[at] & 0x7F) << shift
        if not body[at] & 0x80:
            break
        at, shift = at + 1, shift + 7
    return value
