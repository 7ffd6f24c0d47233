"""Who is shown the logged steps of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ebmkit.errors import PluginError
from ebmkit.plugins.host import Host
from ebmkit.plugins.loading import describe
from ebmkit.training.step import StepReport

Observer = Callable[[StepReport], None]
"""Is shown the report of each logged training step; what it raises ends the run."""


def plugin_observers(host: Host, directory: Path) -> tuple[Observer, ...]:
    """Returns every plugin's `ebmkit_on_step`, the last loaded first as pluggy does; a failure names its plugin."""
    hooks = host.hook.ebmkit_on_step.get_hookimpls()
    return tuple(partial(_show, hook, directory) for hook in reversed(hooks))


def _show(hook: Any, directory: Path, report: StepReport) -> None:  # pluggy's hooks have no type of their own
    try:
        hook.function(*(report for _ in hook.argnames))
    except (Exception, SystemExit) as error:  # a stranger's hook may raise anything
        raise PluginError(
            f"Plugin {hook.plugin_name}: its ebmkit_on_step failed at step {report.step}: {describe(error)}. "
            f"Mend it, or leave it out with EBMKIT_PLUGINS, and go on with: ebmkit resume {directory}"
        ) from error
