"""Where a run is: a directory, or `pretrained:NAME`, a run that comes with ebmkit. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from ebmkit.errors import RecipeError, did_you_mean

PRETRAINED = "pretrained:"
"""How the name of a run that comes with ebmkit begins."""

FOLDER = Path(__file__).parents[2] / "pretrained"
"""Where these runs are; each is a run directory."""


def pretrained_names() -> list[str]:
    """Returns the names of the runs that come with ebmkit."""
    return sorted(path.parent.name for path in FOLDER.glob("*/recipe.toml"))


def is_pretrained(run: str | Path) -> bool:
    """Whether a run is asked for by the name under which it comes with ebmkit."""
    return str(run).startswith(PRETRAINED)


def run_directory(run: str | Path) -> Path:
    """Returns the directory of a run, which is only to be read.

    Raises:
        RecipeError: no run of that name comes with ebmkit.

    >>> run_directory("runs/rings-001").as_posix()
    'runs/rings-001'
    """
    if not is_pretrained(run):
        return Path(run)
    name, known = str(run).removeprefix(PRETRAINED), pretrained_names()
    if name not in known:
        raise RecipeError(
            f"No run '{name}' comes with ebmkit.{did_you_mean(name, known)} "
            f"There is: {', '.join(PRETRAINED + one for one in known) or 'none'}."
        )
    return FOLDER / name


def writable_directory(run: str | Path) -> Path:
    """Returns the directory for what is written beside a run: its own, of a pretrained run `pretrained-NAME` here.

    Raises:
        RecipeError: no run of that name comes with ebmkit.
    """
    return Path(f"pretrained-{run_directory(run).name}") if is_pretrained(run) else Path(run)


def check_own(run: str | Path) -> None:
    """Raises RecipeError where a run is to be changed that comes with ebmkit."""
    if is_pretrained(run):
        directory = run_directory(run)
        raise RecipeError(
            f"{run} is finished: it comes without what training needs. Train its recipe anew: "
            f"ebmkit run --recipe {directory / 'recipe.toml'}"
        )
