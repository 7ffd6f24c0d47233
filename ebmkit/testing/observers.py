"""What every observer promises: it takes whatever a run tells it, changes nothing of it, and leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from ebmkit.recipes.recipe import Part
from ebmkit.runs.fit import fit
from ebmkit.runs.watch.told import Reported
from ebmkit.testing.check import CheckFailed
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import seeded
from ebmkit.testing.models import SHARED
from ebmkit.testing.observed import built, flags_kept, place, reports, run_in, tell
from ebmkit.training.checker.snapshots import changed, kept, listed, modes, of_batch, of_module, of_point
from ebmkit.training.checker.streams import own_stream_only

PATIENCE = 0.5
"""Seconds that a thread has to come to its end."""


def takes_what_it_is_told(part: Examined) -> None:
    """Raises CheckFailed where a method of it raises, in a directory or in memory."""
    for on_disk in (True, False):
        with place(on_disk) as (_, directory):
            tell(built(part), run_in(directory), steps=reports())


def takes_every_end(part: Examined) -> None:
    """Raises CheckFailed where a run that fails, is interrupted, ends at once or goes on is too much for it."""
    for on_disk in (True, False):
        with place(on_disk) as (_, directory):
            tell(built(part), run_in(directory), steps=[], how="failed")
        with place(on_disk) as (_, directory):
            tell(built(part), run_in(directory), steps=reports(), how="interrupted")
            tell(built(part), run_in(directory, first_step=4), steps=reports())


def changes_nothing(part: Examined) -> None:
    """Raises CheckFailed where it changes what it is told, draws from a global stream or turns a switch of torch's."""
    steps = reports()
    before, held = kept(_shown(steps)), [dict(report.values) for report in steps]
    mode = modes(steps[0].phases._energy)
    advice = "A name or a sample of its own it draws from a generator of its own."
    with place(True) as (_, directory), flags_kept() as switched:
        with own_stream_only(part.label, advice, of_torch_alone=True):
            run = run_in(directory)
            recipe = deepcopy(run.recipe)
            tell(built(part), run, steps=steps)
        if switched():
            raise CheckFailed(f"it changed torch's {switched()}, for everybody in this process. Leave it as it was.")
    written = changed(before, _shown(steps))
    if written:
        raise CheckFailed(f"it wrote into {listed(written)} of what it was told. Look, and work on copies.")
    if held != [dict(report.values) for report in steps]:
        raise CheckFailed("it changed the values of a report. Work on a copy: dict(report.values).")
    if mode != modes(steps[0].phases._energy):
        raise CheckFailed("it changed the mode of the energy, or which of its weights are trained. Work on a copy.")
    if recipe != run.recipe:
        raise CheckFailed("it changed the recipe of the run. Work on a copy.")


def _shown(steps: Sequence[Reported]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for report in steps:
        at, phases = f"step {report.step}: ", report.phases
        found |= {f"{at}{name}": value for name, value in {**report.losses, **report.metrics}.items()}
        found |= {f"{at}data.{name}": value for name, value in of_batch(phases.batch).items()}
        found |= of_point(phases.positive, f"{at}positive.")
        found |= {} if phases.negative is None else of_point(phases.negative, f"{at}negative.")
        found |= {f"{at}weights.{name}": value for name, value in of_module(phases._energy).items()}
    return found


def leaves_the_run_as_it_is(part: Examined) -> None:
    """Raises CheckFailed where a run that it watches is another one than the same run without it."""
    built(part)  # one that cannot be built here, for want of a package, says so
    alone = _trained(None)
    with flags_kept():
        watched = _trained(Part(use=part.component.name, settings=dict(part.settings)))
    differing = changed(alone[0], watched[0])
    if differing or alone[1] != watched[1]:
        what = listed(differing) if differing else "the numbers of its steps"
        raise CheckFailed(
            f"a run of {len(alone[1])} steps that it watches ends otherwise than the same run without it, in {what}. "
            "It is told of a run, and changes nothing of it."
        )


def _trained(observer: Part | None) -> tuple[dict[str, Tensor], tuple[Any, ...]]:
    """Returns weights and numbers of a short run kept in memory."""
    x = torch.randn(64, 2, generator=seeded(80))
    asked: Any = None if observer is None else observer.use
    own = {} if observer is None else {f"observer.{observer.use}.{k}": v for k, v in observer.settings.items()}
    with place(False):
        model = fit(
            "mlp", x, sampler="mala", observer=asked, settings={"log.every": 1, **own}, **{**SHARED, "steps": 4}
        )
    return kept(of_module(model.energy)), tuple(model.history)


def keeps_to_its_directory(part: Examined) -> None:
    """Raises CheckFailed where files of a run that has a directory lie elsewhere."""
    with place(True) as (here, directory):
        assert directory is not None
        tell(built(part), run_in(directory), steps=reports())
        strays = sorted(path for path in here.rglob("*") if path.is_file() and directory not in path.parents)
    if strays:
        raise CheckFailed(
            f"it wrote {strays[0].relative_to(here)} beside the directory of the run, runs/kit: the next run would "
            "write over it, and who moves or deletes a run leaves it behind. Write below run.directory where there is "
            "one."
        )


def lets_go(part: Examined) -> None:
    """Raises CheckFailed where a thread of it goes on after the end, so that the program does not end."""
    before = set(threading.enumerate())
    with place(True) as (_, directory):
        tell(built(part), run_in(directory), steps=reports())
        for thread in set(threading.enumerate()) - before:
            if not thread.daemon:
                thread.join(PATIENCE)
                if thread.is_alive():
                    raise CheckFailed(
                        f"its thread '{thread.name}' goes on {PATIENCE} s after the end, and keeps the program from "
                        "ending. Finish and join it in `end`, or make it a daemon."
                    )


PROMISES = (
    Promise(name="told", text="it takes all that it is told, on disk and in memory", look=takes_what_it_is_told),
    Promise(name="ends", text="it takes every end, and a run that goes on", look=takes_every_end),
    Promise(name="touches", text="it looks, and writes into nothing that it is told", look=changes_nothing),
    Promise(name="run", text="a run that it watches is bit for bit the run without it", look=leaves_the_run_as_it_is),
    Promise(name="files", text="its files lie in the directory of the run", look=keeps_to_its_directory),
    Promise(name="threads", text="nothing goes on after the end", look=lets_go),
)
"""Of every observer."""
