"""A new plugin from the template, and what a newer template changes in one."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ebmkit.errors import RecipeError
from ebmkit.template.kept import FILES, PLACE, CannotKeep, has, kept_template
from ebmkit.version import __version__

ANSWERS = ".copier-answers.yml"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPlugin:
    """A plugin that is asked for.

    Attributes:
        name: of its part.
        kind: of its part.
        license: "Apache-2.0", "MIT" or "BSD-3-Clause".
        description: one line; "" for the template's own.
        author: who holds the copyright; "" for the name that git knows.
    """

    name: str
    kind: str
    license: str = "Apache-2.0"
    description: str = ""
    author: str = ""


def write_plugin(asked: NewPlugin, folder: Path) -> str:
    """Writes a plugin into a folder, which must not exist or be empty.

    Returns:
        Why it cannot be updated later, "" where it can.

    Raises:
        RecipeError: copier is not installed, or there is something in the folder.
    """
    copier = _copier()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RecipeError(f"{folder} exists already, and nothing is overwritten. Name another folder: --out FOLDER.")
    try:
        source, tag, why = PLACE, kept_template(), ""
    except CannotKeep as error:
        source, tag, why = str(FILES), None, str(error)
    with _told():
        copier.run_copy(source, folder, data=_answers(asked), vcs_ref=tag, defaults=True, quiet=True)
    if why:
        _forget_source(folder / ANSWERS)
    return why


def update_plugin(folder: Path) -> tuple[str, list[str]]:
    """Takes over into a plugin what the template of this version changes; its own changes stay.

    Returns:
        What was done, and the files in which both changed the same lines: git's marks of a conflict are in them.

    Raises:
        RecipeError: it was not written by the template, cannot be compared with it, or holds uncommitted changes.
    """
    copier = _copier()
    before = _answered(folder, "_commit")
    try:
        tag = kept_template()
        known = has(before)
    except CannotKeep as error:
        raise RecipeError(f"An update needs git: {error}.") from error
    if tag == before:
        return f"Nothing to do: it has the template of ebmkit-core {__version__}.", []
    if not known:
        version = before.removeprefix("v").split("+")[0]
        raise RecipeError(
            f"This plugin was written by ebmkit-core {version}, whose template is not on this machine. Put it there: "
            f"install ebmkit-core=={version} into an environment of its own and run `ebmkit update-plugin .` by it, "
            "which changes nothing; then again by this version."
        )
    with _told():
        copier.run_update(folder, vcs_ref=tag, defaults=True, overwrite=True, quiet=True, conflict="inline")
    return f"Updated from {before} to {tag}.", _conflicts(folder)


def _copier() -> Any:
    """Returns copier; raises RecipeError where it is not installed."""
    if importlib.util.find_spec("copier") is None:
        raise RecipeError(
            "The package of a new plugin is written by copier, which is not installed: "
            "pip install 'ebmkit-core[testing]'"
        )
    import copier

    return copier


@contextmanager
def _told() -> Iterator[None]:
    """Says what copier refuses in our way."""
    from copier.errors import CopierError

    try:
        yield
    except CopierError as error:
        raise RecipeError(str(error)) from error


def _answers(asked: NewPlugin) -> dict[str, object]:
    """Returns what the template is told; what is left out has a default there."""
    author = asked.author or _git_says("config", "user.name")
    more = {"description": asked.description, "author": author}
    said = {name: " ".join(text.split()) for name, text in more.items() if text.strip()}
    return {"name": asked.name, "kind": asked.kind, "license": asked.license, "year": date.today().year, **said}


def _answered(folder: Path, name: str) -> str:
    """Returns an answer that a plugin keeps; raises RecipeError where it keeps none."""
    file = folder / ANSWERS
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    for line in lines:
        if line.startswith(f"{name}: "):
            return line.partition(": ")[2].strip("'\"")
    found = f"{file} does not say which template it is from" if lines else f"there is no {file}"
    raise RecipeError(f"Only what `ebmkit new-plugin` wrote, with git at hand, can be updated: {found}.")


def _forget_source(file: Path) -> None:
    """Takes out of the answers where the template lay: a folder of this machine means nothing elsewhere."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("_")), encoding="utf-8")


def _conflicts(folder: Path) -> list[str]:
    return _git_says("diff", "--name-only", "--diff-filter=U", "--relative", cwd=folder).splitlines()


def _git_says(*words: str, cwd: Path | None = None) -> str:
    """Returns what git says, "" where there is none or it fails."""
    try:
        done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if not done.returncode else ""
