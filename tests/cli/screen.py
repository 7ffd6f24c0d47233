"""A pseudo-terminal of some width, and what a person finally sees on it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

PROGRAM = """
import json, sys
from ebmkit.cli.main import main
for command in json.loads(sys.argv[1]):
    print("$ " + command, flush=True)
    main(command.split())
"""


def seen(commands: list[str], width: int, cwd: Path, **environment: str) -> str:
    """Returns what commands write to a terminal, stdout and stderr, control sequences included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    known = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "EBMKIT_PLUGINS")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd,
        env={**known, "TERM": "xterm-256color", "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    process.wait()
    return shown.decode()


def screen(shown: str) -> list[str]:
    """Returns the lines that stand on the screen at the end: returns, cursor up and erasing are followed."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", shown):
        if token == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif token.startswith("\x1b"):
            count, what = int(re.sub(r"\D", "", token[2:-1]) or 1), token[-1]
            row = max(0, row - count) if what == "A" else row
            lines[row] = "" if what == "K" and count == 2 else lines[row]
        else:
            lines[row] = lines[row][:column].ljust(column) + token + lines[row][column + len(token) :]
            column += len(token)
    return [line.rstrip() for line in lines]


def by_command(lines: list[str]) -> dict[str, list[str]]:
    """Returns command → what stands below it."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("$ "):
            found[line[2:]] = []
        elif found:
            list(found.values())[-1].append(line)
    return found
