"""Energies: networks, and anything callable made into one.

The names below are the settings of the parts, typed, the same as in a recipe; they import no torch. What is built from
them is in the modules of this package.
"""

from ebmkit.energies.declarations import ConvNetConfig as ConvNet
from ebmkit.energies.declarations import GaussianBaseConfig as GaussianBase
from ebmkit.energies.declarations import MlpConfig as Mlp
from ebmkit.energies.resnet_config import ResNetConfig as ResNet

__all__ = [
    "ConvNet",
    "GaussianBase",
    "Mlp",
    "ResNet",
]
