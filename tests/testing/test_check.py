"""A check says what was promised, what was found and what to do; nothing run is a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebmkit.cli.main import main
from ebmkit.errors import PluginError, RecipeError
from ebmkit.plugins.host import host
from ebmkit.testing import Check, CheckFailed, NotApplicable, checks_for, conformance, outcome, verdict


def body(error: BaseException | None) -> Callable[[], None]:
    def look() -> None:
        if error is not None:
            raise error

    return look


def made(error: BaseException | None, expected: str = "") -> Check:
    return Check(name="mine/rows", promise="rows are alone", body=body(error), expected=expected)


def test_a_failure_says_what_was_promised_and_found() -> None:
    with pytest.raises(CheckFailed, match=r"mine/rows\n  promised: rows are alone\n  found: they meet. Part them."):
        made(CheckFailed("they meet. Part them.")).run()


@pytest.mark.parametrize("error", [TypeError("no such thing"), SystemExit("no such thing")])
def test_an_error_of_the_part_is_a_failure_and_says_where(error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = rf"found: {type(error).__name__}: no such thing \(test_check.py, line \d+\). EBMKIT_STRICT=1"
    with pytest.raises(CheckFailed, match=words):
        made(error).run()
    monkeypatch.setenv("EBMKIT_STRICT", "1")
    with pytest.raises(type(error), match="no such thing"):
        made(error).run()


def test_an_expected_failure_fails_when_it_passes() -> None:
    assert outcome(made(CheckFailed("they meet."), expected="it is old")).state == "failed as expected"
    found = outcome(made(None, expected="it is old"))
    assert found.state == "failed" and "expected to fail because it is old" in found.text


def test_the_verdict_counts_and_gives_reasons() -> None:
    left = made(NotApplicable("it moves discrete x"))
    outcomes = [outcome(made(None)), outcome(left), outcome(left), outcome(made(CheckFailed("no."), expected="old"))]
    text, good = verdict(outcomes)
    assert good and text == (
        "2 of 4 checks ran: no other failed, 1 as expected. 2 not applicable because: it moves discrete x (2)."
    )


def test_nothing_run_is_a_failure() -> None:
    assert verdict([])[1] is False
    text, good = verdict([outcome(made(NotApplicable("it moves discrete x")))])
    assert not good and "nothing was checked, which is a failure" in text


def test_a_plugin_of_which_only_declarations_could_be_looked_at_was_not_checked() -> None:
    declared = Check(name="mine/imports", promise="it is there", body=body(None), of_declaration=True)
    absent = made(NotApplicable("its data are not here"))
    text, good = verdict([outcome(declared), outcome(absent)])
    assert not good and "1 of 2 checks ran: no part was checked, which is a failure" in text
    assert verdict([outcome(declared)])[1] and verdict([outcome(one) for one in (declared, absent, made(None))])[1]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(PluginError, match=r"No plugin is installed as 'ebmkit-clol'\. Did you mean 'ebmkit-clel'"):
        checks_for("ebmkit-clol")
    with pytest.raises(RecipeError, match="There is no check 'clel/rose'"):
        checks_for("ebmkit-clel", expected={"clel/rose": "it is red"})


OWN = """
from tests.testing.doubles_of_samplers import part
COMPONENTS = (part("{name}"),)
"""


@pytest.mark.usefixtures("fresh_host")
@pytest.mark.parametrize(("name", "status"), [("right", 0), ("global", 1)])
def test_the_command_checks_a_file(name: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN.format(name=name))
    assert main(["check", str(file), "--only", "pure", "--only", "rows"]) == status
    out = capsys.readouterr().out
    assert "2 of 2 checks ran" in out and ("FAILED   global/pure" in out) == (status == 1)


@pytest.mark.usefixtures("fresh_host")
def test_the_command_refuses_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.py")]) == 2
    assert main(["check", "ebmkit-clel", "--expect", "clel/imports"]) == 2
    capsys.readouterr()
    assert main(["check", "ebmkit-clel", "--only", "los", "--only", "rowns"]) == 2
    assert "--only rowns: no check has this in its name. Did you mean 'rows'" in capsys.readouterr().err


def test_the_test_file_of_a_plugin_fails_where_nothing_but_declarations_was_looked_at() -> None:
    test = conformance(host().get("dataset", "npz"))
    with pytest.raises(AssertionError, match=r"no part was checked, which is a failure.*its data are not here"):
        test(None)


RECIPES = """
from tests.testing.doubles_of_samplers import part
COMPONENTS = (part("right"),)
RECIPES = {{"mine-rings": '''
[data]
use = "toy"
[energy]
use = "{energy}"
[[sampler]]
use = "right"
'''}}
"""


@pytest.mark.usefixtures("fresh_host")
@pytest.mark.parametrize(("energy", "status"), [("mlp", 0), ("mlq", 1)])
def test_a_recipe_of_a_package_that_does_not_resolve_is_a_failure(
    energy: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(RECIPES.format(energy=energy))
    assert main(["check", str(file), "--only", "resolves"]) == status
    out = capsys.readouterr().out
    assert "1 of 1 checks ran" in out and "recipe.mine-rings/resolves" in out
    assert ("'mlq'" in out and "Did you mean" in out) == (status == 1)


def test_every_shipped_recipe_is_checked_with_its_package() -> None:
    owners = {plugin.distribution.split(" ")[0] for _, plugin in host().recipes()}
    checks = [check for owner in owners for check in checks_for(owner) if check.name.startswith("recipe.")]
    assert {check.name for check in checks} == {f"recipe.{name}/resolves" for name in host().recipe_names()}
    assert not [found.text for found in map(outcome, checks) if found.state != "holds"]
