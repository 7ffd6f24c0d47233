"""Data sets: arrays in files, folders of images, and 2-D densities drawn on the fly.

The names below are the settings of the parts, typed, the same as in a recipe; they import no torch. What is built from
them is in the modules of this package.
"""

from ebmkit.data.declarations import FashionMiniConfig as FashionMini
from ebmkit.data.declarations import FolderConfig as Folder
from ebmkit.data.declarations import NpzConfig as Npz
from ebmkit.data.declarations import ToyConfig as Toy
from ebmkit.data.declarations import ToyDiscreteConfig as ToyDiscrete
from ebmkit.data.files_config import Cifar10Config as Cifar10
from ebmkit.data.files_config import FashionMnistConfig as FashionMnist
from ebmkit.data.files_config import MnistConfig as Mnist
from ebmkit.data.hub_config import HfConfig as Hf
from ebmkit.data.hub_config import HfStreamConfig as HfStream
from ebmkit.data.mixture_config import GaussianMixtureConfig as GaussianMixture
from ebmkit.data.shards_config import ShardsConfig as Shards

__all__ = [
    "Cifar10",
    "FashionMini",
    "FashionMnist",
    "Folder",
    "GaussianMixture",
    "Hf",
    "HfStream",
    "Mnist",
    "Npz",
    "Shards",
    "Toy",
    "ToyDiscrete",
]
