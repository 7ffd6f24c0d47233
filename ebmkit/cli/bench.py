"""`bench`: what sampling and training cost here, as ratios of ways that are timed in turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.allocator import keep_freed_memory
from ebmkit.cli.training import importing_torch, option
from ebmkit.display.doing import doing
from ebmkit.display.output import columns, packed, say
from ebmkit.display.tables import table
from ebmkit.display.watching import preparing
from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.plugins.host import host

if TYPE_CHECKING:
    from ebmkit.benchmarks.results import Result
    from ebmkit.benchmarks.workload import Conditions, Workload

RIVALS = ("torchebm",)
STYLES = ("published",)
Names = list[str] | None


def bench(
    only: Annotated[Names, option("NAME", "Workloads, or how their names begin; repeatable.", "--only")] = None,
    against: Annotated[str | None, option("LIBRARY", "Time torchebm on the same workloads.")] = None,
    style: Annotated[str | None, option("STYLE", "published: time the papers' way of doing things as well.")] = None,
    threads: Annotated[int | None, option("N", "Threads of torch; unset, its own choice.", min=1)] = None,
    device: Annotated[str | None, option("DEVICE", "auto, cpu, cuda, or any device of torch.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few rounds, nothing compiled: a look.")] = False,
    keep_memory: Annotated[
        bool, typer.Option("--keep-memory", help="Keep freed memory in the process, as ebmkit run does.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Only say which workloads there are.")] = False,
) -> None:
    """Measures what sampling and training cost here. Best on a quiet machine."""
    _check("--against", against, RIVALS)
    _check("--style", style, STYLES)
    with importing_torch():
        from ebmkit.benchmarks import catalogue, torchebm_side
        from ebmkit.benchmarks.results import measure

    found = catalogue.chosen(catalogue.workloads(component for component, _ in host().all()), only or ())
    if show:
        _list(found)
        return
    if against is not None:
        torchebm_side.check_installed()
    conditions = _conditions(device, threads, quick, frozenset(filter(None, (against, style))), keep_memory)
    results: list[Result] = []
    for workload in found:
        with preparing():
            results.append(measure(workload, conditions, doing))
        if not as_json:
            _print(results[-1])
    _end(results, conditions, as_json)


COMMANDS: dict[str, Callable[..., None]] = {"bench": bench}


def _check(flag: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise RecipeError(f"{flag} {given} is unknown.{did_you_mean(given, known)} Known: {', '.join(known)}.")


def _conditions(
    device: str | None, threads: int | None, quick: bool, styles: frozenset[str], keep_memory: bool
) -> Conditions:
    from ebmkit.assembly.device import choose_device
    from ebmkit.benchmarks.workload import Conditions

    keep_memory = keep_memory and keep_freed_memory()
    return Conditions(
        device=choose_device(device or "auto"), threads=threads, quick=quick, styles=styles, keep_memory=keep_memory
    )


def _list(found: list[Workload]) -> None:
    table(("name", "what"), [(work.name, work.title) for work in found], wide="what")


def _print(result: Result) -> None:
    from rich.console import Console

    from ebmkit.benchmarks.report import WIDTH, drawn, heading, remarks, stacked

    say(heading(result))
    measured = [row for row in result.rows if not row.note]
    if measured and columns() < WIDTH:
        for way, figures in stacked(result.rows, result.workload.peak):
            say(way)
            for line in packed(figures, columns() - 2):
                say(f"  {line}")
    elif measured:
        Console(highlight=False, width=min(columns(), 2 * WIDTH)).print(drawn(result.rows, result.workload.peak))
    for line in remarks(result):
        say(line)
    say()


def _end(results: list[Result], conditions: Conditions, as_json: bool) -> None:
    from ebmkit.benchmarks import report

    if as_json:
        say(json.dumps(report.as_json(results, conditions), indent=2), verbatim=True)
        return
    say(report.LEGEND)
    say(report.summary(results))
