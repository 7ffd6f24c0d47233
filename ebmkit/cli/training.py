"""`run` and `resume`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ebmkit.cli.allocator import keep_freed_memory
from ebmkit.display.output import command, remark, say
from ebmkit.display.processes import is_follower
from ebmkit.display.watching import preparing, watching
from ebmkit.errors import RecipeError
from ebmkit.plugins.host import host
from ebmkit.recipes.part import kind_of
from ebmkit.runs.interrupt import stoppable

if TYPE_CHECKING:
    from ebmkit.assembly.complete import Complete
    from ebmkit.cli.asked import Asked
    from ebmkit.display.progress import Watcher
    from ebmkit.recipes.recipe import Recipe
    from ebmkit.runs.run import Run


def importing_torch() -> AbstractContextManager[None]:
    """Returns the context in which a command imports torch, builds and loads; a person is told what is being done."""
    return preparing("" if "torch" in sys.modules else "importing torch")


def option(metavar: str, text: str, *names: str, min: int | None = None) -> typer.models.OptionInfo:
    """Returns an option that takes a value, with its help."""
    found: typer.models.OptionInfo = typer.Option(*names, metavar=metavar, help=text, min=min)
    return found


Trained = TypeVar("Trained")
Text = str | None
Steps = Annotated[int | None, option("N", "Training steps of the whole run.", min=1)]
PluginFiles = Annotated[
    list[Path] | None, option("FILE.py", "Parts that are not a package yet; repeatable.", "--plugin")
]


def run(
    energy: Annotated[Text, option("NAME", "The energy.")] = None,
    sampler: Annotated[Text, option("NAME", "Samplers, a+b in this order.")] = None,
    objective: Annotated[Text, option("NAME", "Objectives, a+b.")] = None,
    buffer: Annotated[Text, option("NAME", "The buffer of the chains.")] = None,
    coordinate: Annotated[Text, option("NAME", "Coordinates beside x, a+b.")] = None,
    wrapper: Annotated[Text, option("NAME", "Wrappers of the energy, a+b, innermost first.")] = None,
    observer: Annotated[Text, option("NAME", "Who is told of the run, a+b.")] = None,
    data: Annotated[Text, option("NAME[:ARGUMENT]", "As in fashion-mini, toy:rings, npz:FILE, folder:DIR.")] = None,
    recipe: Annotated[Text, option("NAME|FILE", "What to start from; parts named beside it replace its own.")] = None,
    settings: Annotated[list[str] | None, option("K=V", "A setting, as in run.seed=3; repeatable.", "--set")] = None,
    steps: Steps = None,
    device: Annotated[Text, option("DEVICE", "auto, cpu, cuda, or any device of torch.")] = None,
    seed: Annotated[int | None, option("N", "Of everything random.", min=0)] = None,
    init: Annotated[Text, option("RUN", "A run whose weights are the start.")] = None,
    out: Annotated[Path | None, option("DIR", "Run directory; unset, runs/NAME-NNN.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved recipe and stop.")] = False,
    plugin: PluginFiles = None,
    resume_if_present: Annotated[
        bool, typer.Option("--resume-if-present", help="Go on where --out already holds this run.")
    ] = False,
) -> None:
    """Trains a model. Parts that are not named are added, with the reason."""
    files = load_files(plugin)
    from ebmkit.cli.asked import (  # with the recipes comes pydantic, a third of a second
        Asked,
        asked_recipe,
        check_names,
    )

    asked = Asked(
        energy=energy, sampler=sampler, objective=objective, buffer=buffer, coordinate=coordinate, wrapper=wrapper,
        observer=observer, data=data, recipe=recipe, settings=tuple(settings or ()), steps=steps, device=device,
        seed=seed, init=init,
    )  # fmt: skip
    if resume_if_present and out is None:
        raise RecipeError("--resume-if-present needs --out DIR: which run is meant?")
    check_names(asked, host())
    wanted = asked_recipe(asked, host())
    if dry_run:
        _dry_run(wanted)
        return
    with stoppable():
        _train(asked, wanted, out, files, resume_if_present)


def resume(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")],
    steps: Steps = None,
    plugin: PluginFiles = None,
) -> None:
    """Goes on with a run from its newest checkpoint.

    The result is that of a run that had not stopped.
    """
    with stoppable() as stop:
        stop.resumes = f"Go on with: ebmkit resume {shlex.quote(str(directory))}"
        _resume(directory, steps, load_files(plugin))


COMMANDS: dict[str, Callable[..., None]] = {"run": run, "resume": resume}


def load_files(plugin: list[Path] | None) -> tuple[Path, ...]:
    """Loads the files of `--plugin` and returns them."""
    for path in plugin or ():
        host().add_file(path)
    return tuple(plugin or ())


def _train(asked: Asked, wanted: Recipe, out: Path | None, files: tuple[Path, ...], may_resume: bool) -> None:
    from ebmkit.cli.asked import run_name

    with importing_torch():
        from ebmkit.assembly.complete import complete
        from ebmkit.runs.files.directory import free_directory
        from ebmkit.runs.launched import launched, restarted

    with launched() as world:
        if restarted() and out is None:
            raise RecipeError("A process was started again, and cannot tell which run it is of: give --out DIR.")
        with importing_torch():
            made = complete(wanted)
        first = out or (free_directory(run_name(asked, made.recipe)) if world.is_first else Path())
        directory = Path(world.said_by_first(str(first)))
        _train_in(directory, asked, made, files, may_resume or restarted())


def _train_in(directory: Path, asked: Asked, made: Complete, files: tuple[Path, ...], may_resume: bool) -> None:
    from ebmkit.runs.checkpoints.checkpoint import checkpoints
    from ebmkit.runs.files.directory import is_run
    from ebmkit.runs.other_recipe import refuse_other

    goes_on = may_resume and is_run(directory)
    if goes_on:
        refuse_other(directory, made.recipe)
    if not goes_on or not checkpoints(directory / "checkpoints"):
        if asked.names_nothing:
            say("Nothing was named: this is the default run. `ebmkit list` and `ebmkit recipes` show what there is.")
        for note in made.notes:
            say(note)
    _start(made, directory, files, goes_on)


def _start(made: Complete, directory: Path, files: tuple[Path, ...], goes_on: bool) -> None:
    def train(watch: Watcher) -> Run | None:
        from ebmkit.runs.run import train, train_or_resume

        return (train_or_resume if goes_on else train)(made, directory, watch=watch, note=remark)

    steps = made.recipe.table("run").steps
    if _watched(directory, train) is None:
        say(f"{directory} has made its {steps} steps already.")
    _end(directory, steps, files)


def _resume(directory: Path, steps: int | None, files: tuple[Path, ...]) -> None:
    with importing_torch():
        from ebmkit.runs.launched import launched
        from ebmkit.runs.run import resume as go_on

    with launched():
        finished = _watched(directory, lambda watch: go_on(directory, steps=steps, watch=watch, note=remark))
    _end(directory, finished.recipe.table("run").steps, files)


def _watched(directory: Path, train: Callable[[Watcher], Trained]) -> Trained:
    """Trains while a person watches."""
    keep_freed_memory()
    with watching(f"Run: {directory}", shown=not is_follower()) as watch:
        return train(watch)


def _end(directory: Path, steps: int, files: tuple[Path, ...]) -> None:
    """Says where the newest picture of a run is, and how to go on and to sample."""
    from ebmkit.recipes.recipe import read_recipe
    from ebmkit.recipes.stage import at_step
    from ebmkit.runs.files.directory import newest_picture

    picture, where = newest_picture(directory), shlex.quote(str(directory))
    loaded = "".join(f" --plugin {shlex.quote(str(path))}" for path in files)
    command("Train on:  ", f"ebmkit resume {where} --steps {2 * steps}{loaded}")
    recipe = read_recipe(directory / "recipe.toml")
    recipe = at_step(recipe, steps)
    sample = recipe.table("sample")
    can_draw = recipe.parts.get("sampler") or sample.sampler or sample.method == "anneal"
    named = "" if can_draw else _a_sampler_for(recipe)
    out = f"samples.{'npz' if picture is None else 'png'}"
    command("Sample:    ", f"ebmkit sample {where} -n 64 --out {out}{named}{loaded}")
    if picture is not None:
        say(f"Picture:   {picture}")
    say(f"Run:       {directory}")


def _a_sampler_for(recipe: Recipe) -> str:
    """Returns the option that draws from a model trained without chains: discrete x and noise levels have their own."""
    if _says(recipe, "data", "data.discrete"):
        return " --sampler gibbs-with-gradients"
    return f" --sampler {'mala+gibbs' if _says(recipe, 'coordinate', 'point.noised') else 'mala'}"


def _says(recipe: Recipe, table: str, word: str) -> bool:
    given = (host().get(kind_of(table), part.use).gives for part in recipe.parts.get(table, ()))
    return any(word in words for words in given if isinstance(words, tuple))


def _dry_run(wanted: Recipe) -> None:
    from ebmkit.recipes.recipe import to_toml

    with importing_torch():
        from ebmkit.assembly.complete import complete

        made = complete(wanted, needs_data=False)
    if made.missing:
        remark(f"The data cannot be had, so this recipe is resolved without their shape: {made.missing}")
    for note in made.notes:
        remark(note)
    say(to_toml(made.recipe).removesuffix("\n"), verbatim=True)
