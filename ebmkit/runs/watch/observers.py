"""Who watches a run, from its start to its end: the hooks of plugins, and the observers of its recipe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ebmkit.assembly.assemble import Assembly
from ebmkit.assembly.build import build_part
from ebmkit.assembly.context import context_of
from ebmkit.assembly.members import check_members
from ebmkit.errors import PluginError
from ebmkit.evaluation.record import Evaluation
from ebmkit.plugins.host import Host
from ebmkit.plugins.loading import describe
from ebmkit.protocols.observer import Observer
from ebmkit.rng import part_seed
from ebmkit.runs.given import to_resume
from ebmkit.runs.interrupt import Interrupted
from ebmkit.runs.watch.told import Described, Ended, reported
from ebmkit.training.alarms.alarms import Finding
from ebmkit.training.step import StepReport

_log = logging.getLogger(__name__)


def observers_of(assembly: Assembly) -> Mapping[str, Observer]:
    """Builds the observers of a recipe, by name; raises as `ebmkit.build`."""
    recipe, built = assembly.recipe, dict[str, Observer]()
    context = context_of(recipe, assembly.data, assembly.parts.device)
    context = context.replace(coordinates=assembly.parts.coordinates)
    for part in recipe.parts.get("observer", ()):
        observer = build_part("observer", part, context.replace(seed=part_seed(context.seed, part.use)))
        check_members("observer", part.use, observer)
        built[part.use] = observer
    return built


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of a hook or of an observer.

    Attributes:
        who: "Plugin NAME" or "Observer NAME".
        what: the hook or method.
        act: makes the call.
        mend: what to do where it fails.
    """

    who: str
    what: str
    act: Callable[[], object]
    mend: str

    def failure(self, when: str, run: Described, *, finished: bool = False) -> PluginError | None:
        """Makes the call; returns what is to be said where it fails, during a run or after one that finished."""
        try:
            self.act()
        except (KeyboardInterrupt, Interrupted):
            raise
        except BaseException as error:  # a stranger's code may raise anything
            go_on = "." if run.directory is None else f", and go on with: {to_resume(run.recipe, run.directory)}"
            after = "The run itself is complete." if finished else f"{self.mend}{go_on}"
            failure = PluginError(f"{self.who}: its {self.what} failed {when}: {describe(error)}. {after}")
            failure.__cause__ = error
            return failure
        return None


class Observers:
    """Hooks, in pluggy's order, the last loaded first; then the observers, as the recipe has them.

    Args:
        host: with the plugins.
        parts: built observers, by name.
    """

    def __init__(self, host: Host, parts: Mapping[str, Observer] | None = None) -> None:
        self._host, self._parts = host, dict(parts or {})

    @contextmanager
    def watching(self, run: Described, made: Callable[[], int]) -> Iterator[Watched]:
        """Within it, a run is made: all see its start and its end, however it ends.

        An observer whose `start` was not called, or failed, is not told the end.

        Args:
            run: what they are told.
            made: returns the last step that was made.

        Raises:
            PluginError: one fails at the start, or at the end of a run that finished.
        """
        watched = Watched(observers=self, run=run)
        try:
            self._start(watched)
            yield watched
        except BaseException as error:
            stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
            ended = Ended(how="interrupted" if stopped else "failed", step=made(), error=error)
            for failure in [*watched.failures, *self._end(watched, ended)]:
                if failure is not error:
                    _log.warning("%s", failure)  # what ended the run is told first
            raise
        for failure in self._end(watched, Ended(how="finished", step=made())):
            raise failure

    def hooks(self, name: str, **told: Any) -> Iterator[Call]:
        """Yields the calls of a hook of every plugin."""
        for hook in reversed(getattr(self._host.hook, name).get_hookimpls()):
            is_file = ".py:" in hook.plugin_name  # --plugin FILE.py
            yield Call(
                who=f"Plugin {hook.plugin_name}",
                what=name,
                act=partial(hook.function, *(told[argument] for argument in hook.argnames)),
                mend="Mend it, or leave it out" + ("" if is_file else " with EBMKIT_PLUGINS"),
            )

    def parts(self, method: str, names: Iterable[str], run: Described, *told: Any) -> Iterator[Call]:
        """Yields the calls of a method of those observers that have it."""
        for name in names:
            if hasattr(self._parts[name], method):
                where = "it out" if run.directory is None else f'use = "{name}" out of {run.directory / "recipe.toml"}'
                act = partial(getattr(self._parts[name], method), *told)
                yield Call(who=f"Observer {name}", what=method, act=act, mend=f"Mend it, or take {where}")

    def _start(self, watched: Watched) -> None:
        """Tells everybody of the start; raises where one fails."""
        run = watched.run
        for call in self.hooks("ebmkit_run_start", run=run):
            _made(call, run)
        for name in self._parts:
            for call in self.parts("start", [name], run, run):
                _made(call, run)
            watched.begun.append(name)

    def _end(self, watched: Watched, ended: Ended) -> list[PluginError]:
        """Tells everybody of the end, and returns what failed."""
        run, when = watched.run, f"after step {ended.step}"
        calls = [*self.hooks("ebmkit_run_end", run=run, ending=ended)]
        calls += self.parts("end", watched.begun, run, run, ended)
        finished = ended.how == "finished"
        return [failure for call in calls if (failure := call.failure(when, run, finished=finished)) is not None]


def _made(call: Call, run: Described) -> None:
    """Makes a call before the first step; raises where it fails."""
    failure = call.failure("before the first step", run)
    if failure is not None:
        raise failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A run that is watched. Nothing raises here but `check`: the step in which somebody fails is completed first.

    Attributes:
        observers: who watches.
        run: what they are told of it.
        begun: names of the observers that saw its start.
        failures: of this step.
    """

    observers: Observers
    run: Described
    begun: list[str] = field(default_factory=list)
    failures: list[PluginError] = field(default_factory=list)

    def step(self, report: StepReport, values: Mapping[str, float]) -> None:
        """Tells of a logged step."""
        told, when = reported(report, values), f"at step {report.step}"
        self.take(self.observers.hooks("ebmkit_on_step", run=self.run, report=told), when)
        self._tell("step", when, told, self.run)

    def alarm(self, found: Finding) -> None:
        """Tells of a warning."""
        self._tell("alarm", f"at step {found.step}", found, self.run)

    def picture(self, path: Path, step: int) -> None:
        """Tells of a picture."""
        self._tell("picture", f"at step {step}", path, step, self.run)

    def evaluation(self, found: Evaluation) -> None:
        """Tells of an evaluation."""
        self._tell("evaluation", f"at step {found.step}", found, self.run)

    def take(self, calls: Iterable[Call], when: str) -> None:
        """Makes the calls, and keeps what fails."""
        self.failures.extend(failure for call in calls if (failure := call.failure(when, self.run)) is not None)

    def check(self) -> None:
        """Raises the first failure there was."""
        if self.failures:
            raise self.failures[0]

    def _tell(self, method: str, when: str, *told: Any) -> None:
        self.take(self.observers.parts(method, self.begun, self.run, *told), when)
