"""`eval`: the numbers of a trained run, each with its error, on the screen and beside the run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ebmkit.cli.out_file import check_out
from ebmkit.cli.training import PluginFiles, importing_torch, load_files
from ebmkit.cli.training import option as _option
from ebmkit.display.doing import doing
from ebmkit.display.output import paragraph, remark, say
from ebmkit.display.tables import numbers
from ebmkit.display.watching import preparing
from ebmkit.errors import RecipeError
from ebmkit.recipes.tables import Method
from ebmkit.runs.files.located import run_directory, writable_directory

if TYPE_CHECKING:
    from ebmkit.evaluation.record import Evaluation, Judgement
    from ebmkit.recipes.recipe import Part, Recipe
    from ebmkit.runs.run import Run

QUICK = {"n": 200, "n_data": 1000}
"""What `--quick` sets, where nothing else is said."""


def evaluate(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, or pretrained:NAME.")],
    metric: Annotated[str | None, _option("NAME", "Metrics, a+b; unset, the recipe's, else the usual ones.")] = None,
    n: Annotated[int | None, _option("N", "Fresh chains; unset, 1000.", "-n", min=1)] = None,
    n_data: Annotated[int | None, _option("N", "Data of each set; unset, 5000.", min=1)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="200 chains and 1,000 data a set: a first look.")] = False,
    sampler: Annotated[str | None, _option("NAME", "Draws the chains, a+b; unset, that of the recipe.")] = None,
    transitions: Annotated[int | None, _option("N", "Transitions of each chain; unset, the recipe's.", min=1)] = None,
    visits: Annotated[int | None, _option("N", "With a noise level: visits to data.", min=1)] = None,
    plain_transitions: Annotated[int | None, _option("N", "Without augmentation, after these.", min=0)] = None,
    method: Annotated[Method | None, _option("NAME", "visits or anneal; unset, the recipe's.")] = None,
    moves: Annotated[int | None, _option("N", "Annealed: exact moves at each noise level.", min=0)] = None,
    seed: Annotated[int | None, _option("N", "Of the chains; unset, the recipe's.", min=0)] = None,
    last_weights: Annotated[
        bool, typer.Option("--last-weights", help="The last weights, not the averaged ones.")
    ] = False,
    step: Annotated[int | None, _option("N", "Of an earlier checkpoint; unset, the newest.", min=0)] = None,
    settings: Annotated[
        list[str] | None, _option("K=V", "A setting, as in metric.fd.features=FILE; repeatable.", "--set")
    ] = None,
    out: Annotated[Path | None, _option("FILE", "JSON file; unset, in RUN/evaluation.", "--out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON instead of tables.")] = False,
    device: Annotated[str | None, _option("DEVICE", "Another device than the run's.")] = None,
    plugin: PluginFiles = None,
) -> None:
    """Measures how good a run is.

    Every number has its error, and what it depends on beside it.
    """
    check_place(directory, out)
    load_files(plugin)
    asked = {
        "n": n, "n_data": n_data, "sampler": sampler, "transitions": transitions, "visits": visits,
        "plain_transitions": plain_transitions, "seed": seed, "weights": "last" if last_weights else None,
        "method": method, "moves": moves,
    }  # fmt: skip
    if quick:
        asked = {**QUICK, **{name: value for name, value in asked.items() if value is not None}}
    with importing_torch():
        run = _loaded(directory, device, averaged=not last_weights, step=step)
        parts, config = _wanted(run.recipe, metric, settings or [], asked, run)
        if config.weights != run.model.weights:  # as [eval] of the recipe, or --set, has it
            run = _loaded(directory, device, averaged=config.weights == "averaged", step=step)
    with preparing():
        found = _judged(run, parts, config)
        doing("writing the numbers")
        path = _saved(directory, found, out)
    if as_json:
        say(path.read_text(encoding="utf-8").removesuffix("\n"), verbatim=True)
    else:
        show(found)
    (remark if as_json else say)(f"Numbers:   {path}")  # what reads JSON from a pipe takes nothing else
    if metric is None:
        _tell_foreign(directory)
    if found.failures and (metric is not None or run.recipe.parts.get("metric")):
        raise typer.Exit(1)  # of the usual metrics, those that can judge the run are enough


COMMANDS: dict[str, Callable[..., None]] = {"eval": evaluate}


def check_place(directory: Path, out: Path | None) -> None:
    """Raises RecipeError where the numbers of a run cannot be written: to `out`, or beside the run."""
    if out is not None:
        return check_out(out, (".json",))
    beside = next(path for path in (writable_directory(directory), Path()) if path.is_dir())
    if not os.access(beside, os.W_OK):
        raise RecipeError(f"Nothing can be written to {beside.resolve()}: name a file for the numbers with --out.")


def show(found: Evaluation) -> None:
    """Writes an evaluation as tables."""
    from ebmkit.evaluation.words import circumstances, remarks

    say(circumstances(found))
    for judged in found.metrics:
        _show_metric(judged)
    for text in remarks(found):
        remark(text)


def _tell_foreign(directory: Path) -> None:
    from ebmkit.runs.files.directory import foreign_metrics

    if told := foreign_metrics(run_directory(directory)):
        remark(told)


def _show_metric(judged: Judgement) -> None:
    from ebmkit.evaluation.words import heading, laid_out

    say("")
    paragraph(heading(judged), indent=0)
    for laid in laid_out(judged):
        numbers(laid.header, laid.rows)
    for note in judged.notes:
        paragraph(note, indent=2)


def _loaded(directory: Path, device: str | None, averaged: bool, step: int | None) -> Run:
    from ebmkit.assembly.device import choose_device
    from ebmkit.runs.loaded import load

    if device is not None:
        choose_device(device)
    return load(directory, device=device, averaged=averaged, step=step)


def _wanted(
    recipe: Recipe, metric: str | None, settings: list[str], asked: dict[str, Any], run: Run
) -> tuple[tuple[Part, ...], Any]:
    """Returns the metrics with their settings, and `[eval]`, with what was asked on the command line."""
    from ebmkit.evaluation.evaluate import metrics_of
    from ebmkit.recipes.recipe import parse_override
    from ebmkit.recipes.settings import validated
    from ebmkit.recipes.tables import EvalConfig

    parts = metrics_of(run.model, metric)
    table_settings = dict(recipe.tables.get("eval", {}))
    for path, value in (parse_override(text) for text in settings):
        table_name, *rest = path.split(".")
        if table_name == "eval" and len(rest) == 1:
            table_settings[rest[0]] = value
        elif table_name == "metric":
            parts = _with_setting(parts, path, rest, value)
        else:
            raise RecipeError(f"--set {path}: the run is trained. Here, eval.SETTING and metric.NAME.SETTING are set.")
    given = {name: value for name, value in asked.items() if value is not None}
    return parts, validated(EvalConfig, {**table_settings, **given}, "[eval]")


def _with_setting(parts: tuple[Part, ...], path: str, rest: list[str], value: object) -> tuple[Part, ...]:
    from dataclasses import replace

    *name, setting = rest
    reached = [part for part in parts if not name or [part.use] == name]
    if not reached or (not name and len(parts) > 1):
        names = ", ".join(part.use for part in parts)
        raise RecipeError(f"--set {path}: which metric is meant? Write metric.NAME.SETTING; measured are {names}.")
    return tuple(
        replace(part, settings={**part.settings, setting: value}) if part in reached else part for part in parts
    )


def _judged(run: Run, parts: tuple[Part, ...], config: Any) -> Evaluation:
    from ebmkit.evaluation.evaluate import judge

    return judge(run.model, parts, config)


def _saved(directory: Path, found: Evaluation, out: Path | None) -> Path:
    from ebmkit.runs.log.evaluated import save_evaluation

    return save_evaluation(writable_directory(directory), found, out)
