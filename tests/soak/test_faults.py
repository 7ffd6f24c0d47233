"""The short form of `make soak`: a few faults of each kind."""

from __future__ import annotations

import pytest

from ebmkit.plugins.host import host
from ebmkit.recipes.resolver.stages import resolve_run
from ebmkit.recipes.stage import total_steps
from tests.soak.faults import is_well, parsed, report
from tests.soak.shipped import shipped

FAMILIES = ["persistent chains in the plane", "labels, rows of bytes"]
COUNTS = {"kills": 4, "damages": 14, "writers": 1, "several": 1, "formats": 3, "jobs": 1}


def test_a_few_faults_of_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    counts = [word for name, count in COUNTS.items() for word in (f"--{name}", str(count))]
    assert report(parsed([*counts, "--families", *FAMILIES])) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert "4 of 4 bit-equal" in said and "; 0 silent" in said and "1 of 1 directories" in said
    assert "1 of 1 runs of two processes" in said


def test_every_shipped_recipe_has_a_cut_that_resolves() -> None:
    for name, recipe in shipped().items():
        assert total_steps(resolve_run(recipe, host()).recipe) == 4, name


def test_too_few_kills_of_a_recipe_are_no_success() -> None:
    line = "kills:    156 of 156 bit-equal, pictures included, after 300 SIGKILLs, at least {} for each of 34 recipes"
    assert is_well(line.format(3)) and not is_well(line.format(2))
    assert is_well(line.format(1).replace("156", "40")) and not is_well(line.format(3).replace("156", "155", 1))
