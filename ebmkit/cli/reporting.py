"""`report`: one HTML page on a run, or on several side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ebmkit.cli.training import PluginFiles, importing_torch, load_files
from ebmkit.cli.training import option as _option
from ebmkit.display.output import say


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
    out: Annotated[
        Path | None, _option("FILE", "The page; unset, report.html in the first directory. Overwritten.", "--out")
    ] = None,
    n: Annotated[int, _option("N", "Fresh chains of each model.", "-n", min=1)] = 36,
    transitions: Annotated[
        int | None, _option("N", "Of each chain; unset, the recipe's, and by visits at most 500.", min=1)
    ] = None,
    visits: Annotated[
        int | None, _option("N", "With a noise level: visits to data before a chain is taken.", min=1)
    ] = None,
    seconds: Annotated[int, _option("N", "After which the chains of a model are given up.", min=1)] = 60,
    sampling: Annotated[
        bool, typer.Option("--sampling/--no-sampling", help="Ask the models for fresh chains and energies.")
    ] = True,
    device: Annotated[str | None, _option("DEVICE", "Another device than the runs'.")] = None,
    plugin: PluginFiles = None,
) -> None:
    """Writes one HTML page on a run, or on several side by side.

    It holds all that it shows and fetches nothing. What cannot be had is left out, and the page says why.
    """
    load_files(plugin)
    with importing_torch():
        from ebmkit.runs.outputs.report import report as write_report

        if device is not None:
            from ebmkit.assembly.device import choose_device

            choose_device(device)
    path = write_report(
        runs, out, n=n, transitions=transitions, visits=visits, seconds=seconds, sampling=sampling, device=device
    )
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


COMMANDS: dict[str, Callable[..., None]] = {"report": report}
