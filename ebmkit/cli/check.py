"""`check`: does every part of a plugin, or of a file, keep what its kind promises?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.training import importing_torch
from ebmkit.cli.training import option as _option
from ebmkit.display.output import paragraph, say
from ebmkit.errors import RecipeError

if TYPE_CHECKING:
    from ebmkit.testing.check import Outcome


def check(
    asked: Annotated[str, typer.Argument(metavar="DIST|FILE.py", help="An installed plugin, or a file with parts.")],
    only: Annotated[list[str] | None, _option("TEXT", "Only checks with this in their name; repeatable.")] = None,
    expect: Annotated[
        list[str] | None, _option("CHECK=REASON", "Is known to fail; fails where it passes; repeatable.")
    ] = None,
) -> None:
    """Checks that every part of a plugin keeps what its kind promises.

    Exits with 1 where a check failed, or nothing could be checked.
    """
    with importing_torch():
        from ebmkit.testing import checks_for, outcome, verdict

        checks = checks_for(asked, expected=expected(expect or []))
    chosen = [one for one in checks if not only or any(text in one.name for text in only)]
    outcomes = []
    for one in chosen:
        outcomes.append(outcome(one))
        _tell(outcomes[-1])
    text, good = verdict(outcomes)
    say(text)
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


def _tell(found: Outcome) -> None:
    """Writes one line on a check that ran, and what went wrong under one that failed."""
    if found.state == "not applicable":
        return
    words = {"holds": "ok", "failed": "FAILED", "failed as expected": "expected"}[found.state]
    say(f"{words:8} {found.check.name}")
    if found.state == "failed":
        for line in found.text.splitlines()[1:]:
            paragraph(line.strip(), indent=4)
    elif found.text:
        paragraph(found.text, indent=4)
