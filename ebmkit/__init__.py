"""ebmkit: interchangeable energies, samplers, buffers and objectives for energy-based models.

Importing the package imports no torch; each name below is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebmkit.building import build as build
    from ebmkit.components import BuildContext as BuildContext
    from ebmkit.components import Component as Component
    from ebmkit.components import Include as Include
    from ebmkit.components import Need as Need
    from ebmkit.components import Selection as Selection
    from ebmkit.diagnostics import ess_bulk as ess_bulk
    from ebmkit.diagnostics import ess_tail as ess_tail
    from ebmkit.diagnostics import r_hat as r_hat
    from ebmkit.energies.compose import mixture as mixture
    from ebmkit.energies.compose import product as product
    from ebmkit.energies.wrap import energy as energy
    from ebmkit.errors import CapabilityError as CapabilityError
    from ebmkit.errors import CheckpointError as CheckpointError
    from ebmkit.errors import DataError as DataError
    from ebmkit.errors import DivergenceError as DivergenceError
    from ebmkit.errors import EbmkitError as EbmkitError
    from ebmkit.errors import PluginError as PluginError
    from ebmkit.errors import RecipeError as RecipeError
    from ebmkit.generation import Generated as Generated
    from ebmkit.generation import generate as generate
    from ebmkit.hookspecs import hookimpl as hookimpl
    from ebmkit.phases import Phases as Phases
    from ebmkit.plugins import register as register
    from ebmkit.point import Batch as Batch
    from ebmkit.point import Point as Point
    from ebmkit.protocols import EnergyView as EnergyView
    from ebmkit.protocols import Needs as Needs
    from ebmkit.protocols import SamplerInfo as SamplerInfo
    from ebmkit.protocols import SamplerState as SamplerState
    from ebmkit.protocols import Tail as Tail
    from ebmkit.protocols import evaluate as evaluate
    from ebmkit.runs import Run as Run
    from ebmkit.runs import load as load
    from ebmkit.runs import resume as resume
    from ebmkit.runs import run as run
    from ebmkit.sampling import Samples as Samples
    from ebmkit.sampling import sample as sample
    from ebmkit.summary import Diagnostics as Diagnostics
    from ebmkit.views import view as view

__version__ = "0.1.0"

_HOME = {
    "building": "build",
    "components": "BuildContext Component Include Need Selection",
    "energies.compose": "mixture product",
    "energies.wrap": "energy",
    "errors": "CapabilityError CheckpointError DataError DivergenceError EbmkitError PluginError RecipeError",
    "generation": "Generated generate",
    "diagnostics": "ess_bulk ess_tail r_hat",
    "hookspecs": "hookimpl",
    "phases": "Phases",
    "plugins": "register",
    "point": "Batch Point",
    "protocols": "EnergyView Needs SamplerInfo SamplerState Tail evaluate",
    "runs": "Run load resume run",
    "sampling": "Samples sample",
    "summary": "Diagnostics",
    "views": "view",
}
_WHERE = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'ebmkit' has no attribute '{name}'")
    value = getattr(import_module(f"ebmkit.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
