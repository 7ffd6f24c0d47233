"""ebmkit: interchangeable energies, samplers, buffers and objectives for energy-based models.

Importing the package imports no torch; each name below is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebmkit.assembly.build import build as build
    from ebmkit.assembly.model import Model as Model
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
    from ebmkit.plugins.component import Component as Component
    from ebmkit.plugins.component import Include as Include
    from ebmkit.plugins.component import Need as Need
    from ebmkit.plugins.component import Selection as Selection
    from ebmkit.plugins.context import BuildContext as BuildContext
    from ebmkit.plugins.hookspecs import hookimpl as hookimpl
    from ebmkit.plugins.host import register as register
    from ebmkit.point import Batch as Batch
    from ebmkit.point import Point as Point
    from ebmkit.protocols.energy import EnergyView as EnergyView
    from ebmkit.protocols.energy import evaluate as evaluate
    from ebmkit.protocols.objective import Phases as Phases
    from ebmkit.protocols.objective import Requires as Requires
    from ebmkit.protocols.sampler import SamplerInfo as SamplerInfo
    from ebmkit.protocols.sampler import SamplerState as SamplerState
    from ebmkit.protocols.sampler import Tail as Tail
    from ebmkit.protocols.traits import SamplerTraits as SamplerTraits
    from ebmkit.runs.run import Run as Run
    from ebmkit.runs.run import load as load
    from ebmkit.runs.run import resume as resume
    from ebmkit.runs.run import run as run
    from ebmkit.sampling.diagnostics import ess_bulk as ess_bulk
    from ebmkit.sampling.diagnostics import ess_tail as ess_tail
    from ebmkit.sampling.diagnostics import r_hat as r_hat
    from ebmkit.sampling.generate import Generated as Generated
    from ebmkit.sampling.generate import generate as generate
    from ebmkit.sampling.sample import Samples as Samples
    from ebmkit.sampling.sample import sample as sample
    from ebmkit.sampling.summary import Diagnostics as Diagnostics
    from ebmkit.views.view import view as view

__version__ = "0.1.0"

_HOME = {
    "assembly.build": "build",
    "energies.compose": "mixture product",
    "energies.wrap": "energy",
    "errors": "CapabilityError CheckpointError DataError DivergenceError EbmkitError PluginError RecipeError",
    "plugins.component": "Component Include Need Selection",
    "plugins.context": "BuildContext",
    "plugins.hookspecs": "hookimpl",
    "plugins.host": "register",
    "point": "Batch Point",
    "protocols.energy": "EnergyView evaluate",
    "protocols.objective": "Requires Phases",
    "protocols.sampler": "SamplerInfo SamplerState Tail",
    "protocols.traits": "SamplerTraits",
    "assembly.model": "Model",
    "runs.run": "Run load resume run",
    "sampling.diagnostics": "ess_bulk ess_tail r_hat",
    "sampling.generate": "Generated generate",
    "sampling.sample": "Samples sample",
    "sampling.summary": "Diagnostics",
    "views.view": "view",
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
