"""Commands that plugins add, one plugin at a time: one that fails is reported as broken and stops nobody."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import typer

from ebmkit.errors import PluginError
from ebmkit.plugins.host import Host
from ebmkit.plugins.manifest import Plugin


def add_plugin_commands(app: typer.Typer, host: Host) -> None:
    """Calls `ebmkit_commands(app)` of every plugin; what a failing one had added is taken back.

    With `EBMKIT_STRICT=1` the first failure is raised.
    """
    for implementation in host.hook.ebmkit_commands.get_hookimpls():
        commands, groups = list(app.registered_commands), list(app.registered_groups)
        taken = names(app)
        try:
            implementation.function(*(app for _ in implementation.argnames))
            _refuse_clash(list((Counter(names(app)) - Counter(taken)).elements()), taken)
        except (Exception, SystemExit) as error:  # as in the plugin host: a stranger's code may raise anything
            app.registered_commands[:], app.registered_groups[:] = commands, groups
            _report(host, implementation.plugin_name, error)
            if os.environ.get("EBMKIT_STRICT") == "1":
                raise


def names(app: typer.Typer) -> list[str]:
    """Returns the names of the commands and groups of an app."""
    return [_name(info) for info in app.registered_commands] + [_name(info) for info in app.registered_groups]


def _name(info: Any) -> str:
    given = info.name if isinstance(info.name, str) else None
    if given is None and getattr(info, "typer_instance", None) is not None:
        given = info.typer_instance.info.name
    return str(given or getattr(info.callback, "__name__", "").replace("_", "-"))


def _refuse_clash(added: list[str], taken: list[str]) -> None:
    for name in added:
        if name in taken or added.count(name) > 1:
            raise PluginError(f"it adds a command '{name}', which exists already")


def _report(host: Host, registered_as: str, error: BaseException) -> None:
    reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
    message = f"its commands could not be added: {reason}"
    for plugin in host.plugins:
        if f"{plugin.distribution}:{plugin.name}" == registered_as:
            plugin.error = message
            return
    host.plugins.append(Plugin(name=registered_as, distribution="", error=message))
