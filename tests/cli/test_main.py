"""What can be asked before a command."""

from __future__ import annotations

from importlib.metadata import version

import ebmkit


def test_the_versions(cli) -> None:
    answer = cli("--version")
    assert answer.status == 0 and not answer.err
    assert answer.out.splitlines() == [f"ebmkit-core {ebmkit.__version__}", f"torch {version('torch')}"]
