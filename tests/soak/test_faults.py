"""The short form of `make soak`: a few faults of each kind."""

from __future__ import annotations

import pytest

from tests.soak.faults import parsed, report

FAMILIES = ["persistent chains in the plane", "labels, rows of bytes"]


def test_a_few_faults_of_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    counts = [
        "--kills",
        "4",
        "--damages",
        "16",
        "--writers",
        "1",
        "--several",
        "1",
        "--no-disks",
        "--families",
        *FAMILIES,
    ]
    assert report(parsed([*counts, "--families", *FAMILIES])) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert "4 of 4 bit-equal" in said and "0 silent" in said and "1 of 1 directories" in said
    assert "1 of 1 runs of two processes" in said
