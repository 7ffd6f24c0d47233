"""No file of a stranger fills the memory: each is refused by what it says of itself, before it is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("hostile.py")


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is that of Linux")
def test_every_hostile_file_is_refused_with_little_memory(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, cwd=tmp_path, check=False)
    told = [line for line in done.stderr.splitlines() if line.endswith("so far")]
    assert done.returncode == 0, done.stderr[-2_000:]
    assert len(told) == 23
    assert all(line.startswith("refused: ") for line in told), told
