"""Which workloads there are: those of core, and those that components declare."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence

from ebmkit.benchmarks import images, vectors
from ebmkit.benchmarks.workload import Workload
from ebmkit.errors import EbmkitError, PluginError, RecipeError, did_you_mean
from ebmkit.plugins.component import Component
from ebmkit.plugins.loading import describe


def workloads(components: Iterable[Component]) -> list[Workload]:
    """Returns the workloads of core, then those of the components, each module's once.

    Raises:
        PluginError: a component's workloads cannot be had, or one has a name that is taken.
    """
    found = [*vectors.workloads(), *images.workloads()]
    sources = {component.benchmarks: component for component in components if component.benchmarks}
    for component in sources.values():
        found += _declared(component)
    names = [workload.name for workload in found]
    for name in names:
        if names.count(name) > 1:
            raise PluginError(f"Two workloads are called '{name}': rename one.")
    return found


def chosen(found: Sequence[Workload], only: Iterable[str]) -> list[Workload]:
    """Returns the workloads with these names, or that begin with them; all, where none is named.

    Raises:
        RecipeError: there is none of a name.
    """
    asked = list(only)
    names = [workload.name for workload in found]
    for name in asked:
        if not any(known.startswith(name) for known in names):
            raise RecipeError(
                f"There is no workload '{name}'.{did_you_mean(name, names)} Workloads: {', '.join(names)}."
            )
    return [w for w in found if not asked or any(w.name.startswith(name) for name in asked)]


def _declared(component: Component) -> list[Workload]:
    module, _, attribute = component.benchmarks.partition(":")
    try:
        found = list(getattr(importlib.import_module(module), attribute)())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # as for any code of a stranger
        if isinstance(error, EbmkitError):
            raise
        raise _failed(component, describe(error)) from error
    wrong = [workload for workload in found if not isinstance(workload, Workload)]
    if wrong:
        raise _failed(component, f"it returned {wrong[0]!r}, which is no Workload")
    return found


def _failed(component: Component, why: str) -> PluginError:
    return PluginError(
        f"{component.kind} '{component.name}': its workloads cannot be had: {component.benchmarks}: {why}. "
        "Mend it, or leave the plugin out with EBMKIT_PLUGINS."
    )
