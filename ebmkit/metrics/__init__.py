"""Metrics: ways to judge a model, one a file, each with a definition, a source and an error.

The names below are the settings of the parts, typed, the same as in a recipe; they import no torch. What is built from
them is in the modules of this package.
"""

from ebmkit.metrics.declarations.chains import ChainsConfig as Chains
from ebmkit.metrics.declarations.chains import LongRunConfig as LongRun
from ebmkit.metrics.declarations.conditions import CompositionConfig as Composition
from ebmkit.metrics.declarations.conditions import ConditionalConfig as Conditional
from ebmkit.metrics.declarations.detection import OodConfig as Ood
from ebmkit.metrics.declarations.features import ClassesConfig as Classes
from ebmkit.metrics.declarations.features import FdConfig as Fd
from ebmkit.metrics.declarations.features import FidConfig as Fid
from ebmkit.metrics.declarations.features import KidConfig as Kid
from ebmkit.metrics.declarations.features import MemorisationConfig as Memorisation
from ebmkit.metrics.declarations.features import PrecisionRecallConfig as PrecisionRecall
from ebmkit.metrics.declarations.known_density import KnownDensityConfig as KnownDensity
from ebmkit.metrics.declarations.likelihood import AisConfig as Ais
from ebmkit.metrics.declarations.likelihood import LikelihoodConfig as Likelihood
from ebmkit.metrics.declarations.likelihood import PlaneConfig as Plane

__all__ = [
    "Ais",
    "Chains",
    "Classes",
    "Composition",
    "Conditional",
    "Fd",
    "Fid",
    "Kid",
    "KnownDensity",
    "Likelihood",
    "LongRun",
    "Memorisation",
    "Ood",
    "Plane",
    "PrecisionRecall",
]
