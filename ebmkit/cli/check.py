"""`check`: does every part of a plugin, or of a file, keep what its kind promises? Is a run undamaged?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.check_run import check_run
from ebmkit.cli.training import importing_torch
from ebmkit.cli.training import option as _option
from ebmkit.display.output import paragraph, say
from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.recipes.recipe import parse_override

if TYPE_CHECKING:
    from ebmkit.testing.check import Check, Outcome


def check(
    asked: Annotated[
        str, typer.Argument(metavar="DIST|FILE.py|RUN", help="An installed plugin, a file with parts, or a run.")
    ],
    settings: Annotated[
        list[str] | None,
        _option("PART.SETTING=V", "A setting under which a part is looked at; repeatable.", "--set"),
    ] = None,
    only: Annotated[list[str] | None, _option("TEXT", "Only checks with this in their name; repeatable.")] = None,
    expect: Annotated[
        list[str] | None, _option("CHECK=REASON", "Is known to fail; fails where it passes; repeatable.")
    ] = None,
) -> None:
    """Checks that every part of a plugin keeps what its kind promises; or that the files of a run are undamaged.

    Exits with 1 where a check failed, or nothing could be checked.
    """
    if (Path(asked) / "recipe.toml").is_file():
        if settings or only or expect:
            raise RecipeError(f"{asked} is a run, whose files are looked at: --set, --only and --expect are for parts.")
        check_run(Path(asked))
        return
    with importing_torch():
        from ebmkit.testing import checks_for, outcome, verdict

        checks = checks_for(asked, settings=by_part(settings or []), expected=expected(expect or []))
    outcomes: list[Outcome] = []
    for one in named(checks, only or []):
        found = outcome(one)
        _tell(found, [before for before in outcomes if before.state == "failed"])
        outcomes.append(found)
    text, good = verdict(outcomes)
    say(text if checks else f"{text} {asked} offers no parts: name them in COMPONENTS = (…).")
    if not good:
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., None]] = {"check": check}


def expected(texts: list[str]) -> dict[str, str]:
    """Returns check → reason of every `--expect CHECK=REASON`."""
    found = {}
    for text in texts:
        name, equals, reason = text.partition("=")
        if not equals or not reason.strip():
            raise RecipeError(f"--expect {text}: write CHECK=REASON, as in 'mine/law-ring=steps are too long there'.")
        found[name.strip()] = reason.strip()
    return found


def named(checks: list[Check], only: list[str]) -> list[Check]:
    """Returns the checks with one of some texts in their names, all of them where there is no text.

    Raises:
        RecipeError: a text is in no name.
    """
    for text in only:
        if not any(text in check.name for check in checks):
            known = [check.name for check in checks]
            words = sorted({word for name in known for word in (name, *name.split("/"))})
            raise RecipeError(
                f"--only {text}: no check has this in its name.{did_you_mean(text, words)} Checks: {', '.join(known)}."
            )
    return [check for check in checks if not only or any(text in check.name for text in only)]


def by_part(texts: list[str]) -> dict[str, dict[str, object]]:
    """Returns part → setting → value of every `--set PART.SETTING=V`."""
    found: dict[str, dict[str, object]] = {}
    for text in texts:
        if "." not in text.partition("=")[0]:
            raise RecipeError(f"--set {text}: of which part? Write PART.SETTING=V, as in 'mala.step_size=0.05'.")
        path, value = parse_override(text)
        part, _, setting = path.rpartition(".")
        found.setdefault(part, {})[setting] = value
    return found


def _tell(found: Outcome, failed: list[Outcome]) -> None:
    """Writes one line on a check that ran, and what went wrong under one that failed: the same words once."""
    if found.state == "not applicable":
        return
    words = {"holds": "ok", "failed": "FAILED", "failed as expected": "expected"}[found.state]
    say(f"{words:8} {found.check.name}")
    if found.state == "failed":
        _, promised, said = (*found.text.split("\n", 2), "", "")[:3]
        same = next((one.check.name for one in failed if one.text.split("\n", 2)[-1] == said), "")
        paragraph(promised.strip(), indent=4)
        paragraph(f"found: the same as {same}" if same else said.strip(), indent=4)
    elif found.text:
        paragraph(found.text, indent=4)
