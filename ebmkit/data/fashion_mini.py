"""The default data set: 6,000 + 1,000 images of Fashion-MNIST, shipped with the package.

`fashion_mini.npz` holds x_train [6000, 28, 28], y_train [6000], x_test [1000, 28, 28] and y_test [1000], all uint8. Of
the original training files (Zalando SE, MIT licence in `FASHION_MNIST_LICENSE`) it has the first 600 images of each
class, of the original test files the first 100, unchanged. Row 10 i + c is the i-th image of class c in the original
order, so that every prefix is balanced over the classes to within one image.
"""

from __future__ import annotations

from importlib.resources import as_file, files

from ebmkit.data.arrays import ArrayData, known_split
from ebmkit.data.declarations import FashionMiniConfig
from ebmkit.data.idx import GARMENTS
from ebmkit.data.npz import read_npz
from ebmkit.data.raw import Raw, array_data
from ebmkit.plugins.context import BuildContext

FILE = "fashion_mini.npz"


def build_fashion_mini(config: FashionMiniConfig, context: BuildContext) -> ArrayData:
    """Returns the training or test part of the embedded set."""
    split = known_split(config.split)
    with as_file(files("ebmkit.data") / FILE) as path:
        arrays = read_npz(path, (f"x_{split}", f"y_{split}"))
    raw = Raw(
        origin=FILE,
        x=arrays[f"x_{split}"][:, None],
        y=arrays[f"y_{split}"],
        n_classes=len(GARMENTS),
        class_names=GARMENTS,
    )
    return array_data(raw, config, context, build_fashion_mini)
