"""`check RUN`: is every file of a run what was written?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ebmkit.cli.training import importing_torch
from ebmkit.display.output import say

if TYPE_CHECKING:
    from ebmkit.runs.checkpoints.examined import Examined


def check_run(directory: Path) -> None:
    """Looks at every sealed file of a run and names what is damaged; exits with 1 where anything is."""
    with importing_torch():
        from ebmkit.runs.checkpoints.examined import examine
    found = examine(directory)
    groups = {f"checkpoints/{name}": wrong for name, wrong in found.checkpoints.items()}
    if groups:
        groups["recipe, environment, logs, pictures and evaluations"] = found.beside
    for name, wrong in groups.items():
        say(f"{'FAILED' if wrong else 'ok':8} {name}")
        for line in wrong:
            say(f"    {line}")
    say(_verdict(directory, found))
    if found.wrong or not found.checkpoints:
        raise typer.Exit(1)


def _verdict(directory: Path, found: Examined) -> str:
    if not found.checkpoints:
        return f"{directory} has no checkpoint yet, so nothing of it is sealed."
    looked_at = f"{found.n_files:,} files, {found.n_bytes:,} bytes"
    if not found.wrong:
        return f"{looked_at}: all is what was written, up to the newest checkpoint."
    return f"{looked_at}: {len(found.wrong)} damaged. `ebmkit resume` goes on from the newest whole checkpoint."
