"""ebmkit: interchangeable energies, samplers, buffers and objectives for energy-based models.

Importing the package imports no torch; each name below is imported when it is first used. docs/public-names.md says
which of them a plugin needs for what.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ebmkit.version import __version__ as __version__

if TYPE_CHECKING:
    from ebmkit import buffers as buffers
    from ebmkit import coordinates as coordinates
    from ebmkit import data as data
    from ebmkit import energies as energies
    from ebmkit import metrics as metrics
    from ebmkit import objectives as objectives
    from ebmkit import samplers as samplers
    from ebmkit.assembly.build import build as build
    from ebmkit.assembly.complete import as_recipe as as_recipe
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
    from ebmkit.errors import RunError as RunError
    from ebmkit.evaluation.evaluate import evaluate as evaluate
    from ebmkit.evaluation.record import Evaluation as Evaluation
    from ebmkit.evaluation.uncertainty import bootstrap as bootstrap
    from ebmkit.evaluation.uncertainty import standard_error as standard_error
    from ebmkit.metrics.detection.detector import Detector as Detector
    from ebmkit.metrics.detection.detector import detector as detector
    from ebmkit.metrics.detection.detector import ood_scores as ood_scores
    from ebmkit.ops.gradients import score as score
    from ebmkit.plugins.component import Component as Component
    from ebmkit.plugins.component import Include as Include
    from ebmkit.plugins.component import Need as Need
    from ebmkit.plugins.component import NoConfig as NoConfig
    from ebmkit.plugins.component import Selection as Selection
    from ebmkit.plugins.context import BuildContext as BuildContext
    from ebmkit.plugins.hookspecs import hookimpl as hookimpl
    from ebmkit.plugins.host import register as register
    from ebmkit.plugins.short_repr import short_repr as short_repr
    from ebmkit.point import Batch as Batch
    from ebmkit.point import Point as Point
    from ebmkit.prior import Fresh as Fresh
    from ebmkit.protocols.buffer import Buffer as Buffer
    from ebmkit.protocols.coordinate import Coordinate as Coordinate
    from ebmkit.protocols.dataset import Dataset as Dataset
    from ebmkit.protocols.energy import Energy as Energy
    from ebmkit.protocols.energy import EnergyView as EnergyView
    from ebmkit.protocols.energy import abilities_of as abilities_of
    from ebmkit.protocols.energy import at_least_fp32 as at_least_fp32
    from ebmkit.protocols.energy import lacks_ability as lacks_ability
    from ebmkit.protocols.energy import level_coordinate_of as level_coordinate_of
    from ebmkit.protocols.energy import levels_of as levels_of
    from ebmkit.protocols.energy import values_of as values_of
    from ebmkit.protocols.guided import Encodes as Encodes
    from ebmkit.protocols.guided import Guided as Guided
    from ebmkit.protocols.guided import guidance_strength as guidance_strength
    from ebmkit.protocols.metric import Estimate as Estimate
    from ebmkit.protocols.metric import Measured as Measured
    from ebmkit.protocols.metric import Metric as Metric
    from ebmkit.protocols.metric import Subject as Subject
    from ebmkit.protocols.objective import Objective as Objective
    from ebmkit.protocols.objective import Phases as Phases
    from ebmkit.protocols.objective import Requires as Requires
    from ebmkit.protocols.observer import Ending as Ending
    from ebmkit.protocols.observer import LoggedStep as LoggedStep
    from ebmkit.protocols.observer import Observer as Observer
    from ebmkit.protocols.observer import RunInfo as RunInfo
    from ebmkit.protocols.sampler import Goes as Goes
    from ebmkit.protocols.sampler import Sampler as Sampler
    from ebmkit.protocols.sampler import SamplerInfo as SamplerInfo
    from ebmkit.protocols.sampler import SamplerState as SamplerState
    from ebmkit.protocols.sampler import Tail as Tail
    from ebmkit.protocols.sampler import Tuning as Tuning
    from ebmkit.protocols.traits import ObjectiveTraits as ObjectiveTraits
    from ebmkit.protocols.traits import SamplerTraits as SamplerTraits
    from ebmkit.recipes.recipe import Part as Part
    from ebmkit.recipes.recipe import Recipe as Recipe
    from ebmkit.rng import seeded as seeded
    from ebmkit.rng import stream as stream
    from ebmkit.runs.fit import fit as fit
    from ebmkit.runs.fit import parts as parts
    from ebmkit.runs.loaded import load as load
    from ebmkit.runs.outputs.exporting import export_energy as export_energy
    from ebmkit.runs.outputs.exporting import load_energy as load_energy
    from ebmkit.runs.outputs.report import report as report
    from ebmkit.runs.run import Run as Run
    from ebmkit.runs.run import resume as resume
    from ebmkit.runs.run import run as run
    from ebmkit.sampling.diagnostics import ess_bulk as ess_bulk
    from ebmkit.sampling.diagnostics import ess_tail as ess_tail
    from ebmkit.sampling.diagnostics import r_hat as r_hat
    from ebmkit.sampling.generate import Generated as Generated
    from ebmkit.sampling.generate import generate as generate
    from ebmkit.sampling.log_density import LogDensity as LogDensity
    from ebmkit.sampling.log_density import log_density as log_density
    from ebmkit.sampling.model import Model as Model
    from ebmkit.sampling.sample import Samples as Samples
    from ebmkit.sampling.sample import sample as sample
    from ebmkit.sampling.summary import Diagnostics as Diagnostics
    from ebmkit.training.step import train_step as train_step
    from ebmkit.views.view import view as view

_HOME = {
    "assembly.build": "build",
    "assembly.complete": "as_recipe",
    "sampling.model": "Model",
    "energies.compose": "mixture product",
    "energies.wrap": "energy",
    "evaluation.evaluate": "evaluate",
    "evaluation.record": "Evaluation",
    "evaluation.uncertainty": "bootstrap standard_error",
    "metrics.detection.detector": "Detector detector ood_scores",
    "ops.gradients": "score",
    "errors": "CapabilityError CheckpointError DataError DivergenceError EbmkitError PluginError RecipeError RunError",
    "plugins.component": "Component Include Need NoConfig Selection",
    "plugins.context": "BuildContext",
    "plugins.hookspecs": "hookimpl",
    "plugins.host": "register",
    "plugins.short_repr": "short_repr",
    "point": "Batch Point",
    "prior": "Fresh",
    "protocols.buffer": "Buffer",
    "protocols.coordinate": "Coordinate",
    "protocols.dataset": "Dataset",
    "protocols.energy": "Energy EnergyView abilities_of at_least_fp32 values_of lacks_ability "
    "level_coordinate_of levels_of",
    "protocols.guided": "Encodes Guided guidance_strength",
    "protocols.metric": "Estimate Measured Metric Subject",
    "protocols.objective": "Objective Phases Requires",
    "protocols.observer": "Ending LoggedStep Observer RunInfo",
    "protocols.sampler": "Goes Sampler SamplerInfo SamplerState Tail Tuning",
    "protocols.traits": "ObjectiveTraits SamplerTraits",
    "recipes.recipe": "Part Recipe",
    "rng": "seeded stream",
    "runs.outputs.exporting": "export_energy load_energy",
    "runs.fit": "fit parts",
    "runs.outputs.report": "report",
    "runs.loaded": "load",
    "runs.run": "Run resume run",
    "sampling.diagnostics": "ess_bulk ess_tail r_hat",
    "sampling.generate": "Generated generate",
    "sampling.log_density": "LogDensity log_density",
    "sampling.sample": "Samples sample",
    "sampling.summary": "Diagnostics",
    "training.step": "train_step",
    "views.view": "view",
}
_ROOMS = frozenset({"buffers", "coordinates", "data", "energies", "metrics", "objectives", "samplers"})
_WHERE = {name: module for module, names in _HOME.items() for name in names.split()}

_FORMER: dict[str, tuple[str, str]] = {}
"""Former name → what it is called now, and the version with which the former one goes; see docs/releasing.md."""

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"ebmkit.{name}")
    if name in _FORMER:
        return _former(name)
    if name not in _WHERE:
        from ebmkit.errors import did_you_mean

        raise AttributeError(f"module 'ebmkit' has no attribute '{name}'.{did_you_mean(name, [*_WHERE, *_ROOMS])}")
    value = getattr(import_module(f"ebmkit.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def _former(name: str) -> Any:
    from warnings import warn

    now, gone = _FORMER[name]
    text = f"ebmkit.{name} is called ebmkit.{now} now; the former name goes with {gone}."
    warn(text, DeprecationWarning, stacklevel=3)
    return __getattr__(now)


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE, *_ROOMS})
