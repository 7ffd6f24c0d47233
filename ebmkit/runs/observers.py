"""Plugins that watch a run: its start, its logged steps and its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ebmkit.errors import PluginError
from ebmkit.plugins.host import Host
from ebmkit.plugins.loading import describe
from ebmkit.recipes.recipe import Recipe
from ebmkit.runs.interrupt import Interrupted
from ebmkit.training.step import StepReport

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """What plugins are told of a run.

    Attributes:
        directory: of the run; None where it is kept in memory.
        recipe: resolved, with every "auto" decided.
        first_step: the first training step that is made now.
        steps: of the whole run.
    """

    directory: Path | None
    recipe: Recipe
    first_step: int
    steps: int

    @property
    def name(self) -> str:
        """Name of the directory, "run" where there is none."""
        return "run" if self.directory is None else self.directory.resolve().name


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a run ended.

    Attributes:
        how: in one word.
        step: the last training step that was made.
        error: why it did not finish.
    """

    how: Literal["finished", "interrupted", "failed"]
    step: int
    error: BaseException | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A run that is watched.

    Attributes:
        observers: who watches.
        run: what they are told of it.
    """

    observers: Observers
    run: Described

    def step(self, report: StepReport) -> None:
        """Shows the report of a logged step; raises PluginError where a hook fails, which ends the run."""
        self.observers.call("ebmkit_on_step", f"at step {report.step}", self.run, report=report)


class Observers:
    """The hooks of all plugins, called in pluggy's order, the last loaded first. A failure names its plugin."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @contextmanager
    def watching(self, run: Described, made: Callable[[], int]) -> Iterator[Watched]:
        """Within it, a run is made: hooks see its start and its end, however it ends.

        Args:
            run: what they are told.
            made: returns the last step that was made.

        Raises:
            PluginError: a hook fails at the start, or at the end of a run that finished.
        """
        try:
            self.call("ebmkit_run_start", "before the first step", run)
            yield Watched(observers=self, run=run)
        except BaseException as error:
            stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
            ended = Ended(how="interrupted" if stopped else "failed", step=made(), error=error)
            for failure in self._end(run, ended):
                _log.warning("%s", failure)  # what ended the run is told first
            raise
        for failure in self._end(run, Ended(how="finished", step=made())):
            raise failure

    def call(self, name: str, when: str, run: Described, **told: object) -> None:
        """Calls a hook of every plugin; raises the first failure."""
        for failure in self._failures(name, when, run, told):
            raise failure

    def _end(self, run: Described, ended: Ended) -> list[PluginError]:
        """Tells everybody, and returns what failed."""
        return list(self._failures("ebmkit_run_end", f"after step {ended.step}", run, {"ending": ended}))

    def _failures(self, name: str, when: str, run: Described, told: dict[str, Any]) -> Iterator[PluginError]:
        """Calls a hook of one plugin after another, and yields each failure."""
        given = {"run": run, **told}
        for hook in reversed(getattr(self._host.hook, name).get_hookimpls()):
            try:
                hook.function(*(given[argument] for argument in hook.argnames))
            except (KeyboardInterrupt, Interrupted):
                raise
            except BaseException as error:  # a stranger's hook may raise anything
                now = _what_now(run, hook.plugin_name)
                failure = PluginError(f"Plugin {hook.plugin_name}: its {name} failed {when}: {describe(error)}. {now}")
                failure.__cause__ = error
                yield failure


def _what_now(run: Described, plugin: str) -> str:
    is_file = ".py:" in plugin  # --plugin FILE.py
    mend = "Mend it, or leave it out" + ("" if is_file else " with EBMKIT_PLUGINS")
    return f"{mend}." if run.directory is None else f"{mend}, and go on with: ebmkit resume {run.directory}"
