"""`new-plugin` and `update-plugin`: a package for a part of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ebmkit.cli.training import option as _option
from ebmkit.display.output import command, remark, say
from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.plugins.component import KINDS
from ebmkit.plugins.host import host

LICENCES = ("Apache-2.0", "MIT", "BSD-3-Clause")


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the part, as it will be typed in a run.")],
    kind: Annotated[str, _option("KIND", f"What it is: {', '.join(KINDS)}.")],
    out: Annotated[Path | None, _option("FOLDER", "Where to; unset, ebmkit-NAME here.")] = None,
    description: Annotated[str, _option("TEXT", "One line on the package.")] = "",
    author: Annotated[str, _option("TEXT", "Who holds the copyright; unset, whom git knows.")] = "",
    licence: Annotated[str, _option("NAME", f"{', '.join(LICENCES)}.", "--license")] = LICENCES[0],
) -> None:
    """Writes the package of a new plugin, with one part that works.

    It can be installed, passes `ebmkit check`, and holds a recipe, a citation and tests: put your idea in the place of
    the example. Needs copier, which the extra `testing` brings.
    """
    for what, asked, known in (("kind", kind, KINDS), ("licence", licence, LICENCES)):
        if asked not in known:
            raise RecipeError(f"There is no {what} '{asked}'.{did_you_mean(asked, known)} Known: {', '.join(known)}.")
    from ebmkit.template.naming import checked_name
    from ebmkit.template.write import NewPlugin, write_plugin

    own = checked_name(name, kind, host())
    folder = Path(f"ebmkit-{own}") if out is None else out
    why = write_plugin(NewPlugin(name=own, kind=kind, license=licence, description=description, author=author), folder)
    say(f"Written: {folder}, a package with the {kind} '{own}'. README.md says how to make it yours. Next:")
    place = folder if folder.is_absolute() else f"./{folder}"
    command("  ", f"pip install -e '{place}[test]'")
    command("  ", f"ebmkit check ebmkit-{own}")
    command("  ", f"ebmkit run --recipe {own}-example")
    if why:
        remark(f"`ebmkit update-plugin` will not be able to update it, for its template could not be kept: {why}.")


def update(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of the plugin, committed to git.")] = Path(),
) -> None:
    """Takes over into a plugin what this version of ebmkit changes in the package that it writes.

    Your own changes stay. Exits with 1 where both changed the same lines.
    """
    from ebmkit.template.write import update_plugin

    text, conflicts = update_plugin(folder)
    say(text)
    for file in conflicts:
        say(f"Both changed {file}: choose between the lines that are marked.")
    if conflicts:
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., None]] = {"new-plugin": new_plugin, "update-plugin": update}
