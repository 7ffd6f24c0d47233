"""Declarations of the data sets and their settings; the first setting is what `--data NAME:ARGUMENT` sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from ebmkit.data.files_config import MOST_BYTES, Bytes, Cifar10Config, Count, FashionMnistConfig, MnistConfig, Split
from ebmkit.data.hub_config import HF_STREAM, HfConfig
from ebmkit.data.mixture_config import MIXTURE
from ebmkit.data.shards_config import SHARDS
from ebmkit.errors import RecipeError
from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.short_repr import short_repr

LARGEST_SIDE = {"ising": 4, "potts": 3}  # of `toy-discrete`: 65,536 and 19,683 states


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class FashionMiniConfig:
    """Settings of `fashion-mini`.

    Attributes:
        split: 6,000 training or 1,000 test images.
        limit: only the first so many rows, about balanced over the classes; 0 for all.
    """

    split: Split = "train"
    limit: Count = 0


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class NpzConfig:
    """Settings of `npz`.

    Attributes:
        path: npz file of the training part: array x [N, ...], uint8 or float, and perhaps labels y [N].
        test_path: npz file of the test part; empty where there is none.
        split: which of the two.
        limit: only the first so many rows of either part; 0 for all.
        n_classes: number of label values; 0 for the largest label plus one.
        max_bytes: that the values may take in memory; a set that takes more is refused.
    """

    path: str = ""
    test_path: str = ""
    split: Split = "train"
    limit: Count = 0
    n_classes: Count = 0
    max_bytes: Bytes = MOST_BYTES


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class FolderConfig:
    """Settings of `folder`.

    Attributes:
        path: folder of images, whose sub-folders, if any, are the classes. Where its only sub-folders are `train` and
            `test`, each of these is such a folder.
        size: height and width that every image must have, pixels; 0 for those of the first image.
        channels: 1 (grey) or 3 (RGB); 0 for those of the first image.
        resize: stretch images of another size (bicubic) instead of refusing them.
        split: "test" needs a `test` sub-folder.
        limit: only the first so many images, taken in turn from the classes; 0 for all.
        max_bytes: that the values may take in memory; a set that takes more is refused.
    """

    path: str = ""
    size: Count = 0
    channels: Literal[0, 1, 3] = 0
    resize: bool = False
    split: Split = "train"
    limit: Count = 0
    max_bytes: Bytes = MOST_BYTES


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ToyConfig:
    """Settings of `toy`.

    Attributes:
        density: which one.
        n: virtual length of the set, which is drawn afresh in every batch.
        radius: half-width of the figure without noise, data units.
        sd: of the Gaussian noise, data units; unset, 0.2. The checkerboard has none.
        n_rings: of `rings` alone; unset, 2.

    Raises:
        RecipeError: a setting that the density does not have.
    """

    density: Literal["rings", "moons", "eight-gaussians", "checkerboard"] = "rings"
    n: Annotated[int, Gt(0)] = 10_000
    radius: Annotated[float, Gt(0)] = 2.0
    sd: Annotated[float, Gt(0)] | None = None
    n_rings: Annotated[int, Gt(0)] | None = None

    def __post_init__(self) -> None:
        if self.sd is not None and self.density == "checkerboard":
            raise RecipeError("[data] toy: sd was set, but the checkerboard has no noise. Leave sd out.")
        if self.n_rings is not None and self.density != "rings":
            raise RecipeError(f"[data] toy: n_rings was set, but '{self.density}' has no rings. Leave n_rings out.")


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ToyDiscreteConfig:
    """Settings of `toy-discrete`.

    Attributes:
        law: "ising", bits on a square lattice, or "potts", sites of three values, one-hot; neighbours attract.
        n: virtual length of the set, which is drawn afresh in every batch.
        side: sites along the lattice, which is closed to a torus; unset, 4 of ising and 3 of potts, the most.
        coupling: J, nats that equal neighbours gain (of ising: 2J over unequal ones); unset, .3 of ising, .9 of potts.
        field: h, nats by which each site is drawn to 1 (ising) or to its first value (potts).

    Raises:
        RecipeError: more states than can be listed.
    """

    law: Literal["ising", "potts"] = "ising"
    n: Annotated[int, Gt(0)] = 10_000
    side: Annotated[int, Ge(2)] | None = None
    coupling: float | None = None
    field: float = 0.1

    def __post_init__(self) -> None:
        most = LARGEST_SIDE[self.law]
        if self.side is not None and self.side > most:
            raise RecipeError(
                f"[data] toy-discrete: all states are listed, so side is at most {most} of '{self.law}'; found "
                f"{self.side}."
            )

    def settled(self, selection: Selection) -> ToyDiscreteConfig:
        """Returns the config with every unset value decided."""
        coupling = {"ising": 0.3, "potts": 0.9}[self.law] if self.coupling is None else self.coupling
        return replace(self, side=self.side or LARGEST_SIDE[self.law], coupling=coupling)


COMPONENTS: tuple[Component, ...] = (
    SHARDS,
    HF_STREAM,
    Component(
        kind="dataset",
        name="fashion-mini",
        config=FashionMiniConfig,
        build="ebmkit.data.fashion_mini:build_fashion_mini",
        summary="7,000 grey 28x28 images of clothes in 10 classes, shipped with ebmkit (a subset of Fashion-MNIST)",
        cite=(
            "Han Xiao, Kashif Rasul, Roland Vollgraf (2017). Fashion-MNIST: a novel image dataset for benchmarking "
            "machine learning algorithms. arXiv:1708.07747"
        ),
    ),
    Component(
        kind="dataset",
        name="fashion-mnist",
        config=FashionMnistConfig,
        build="ebmkit.data.idx:build_fashion_mnist",
        summary="70,000 grey 28x28 images of clothes in 10 classes, from idx files",
        cite=(
            "Han Xiao, Kashif Rasul, Roland Vollgraf (2017). Fashion-MNIST: a novel image dataset for benchmarking "
            "machine learning algorithms. arXiv:1708.07747"
        ),
    ),
    Component(
        kind="dataset",
        name="mnist",
        config=MnistConfig,
        build="ebmkit.data.idx:build_mnist",
        summary="70,000 grey 28x28 images of digits in 10 classes, from idx files",
        cite=(
            "Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner (1998). Gradient-based learning applied to "
            "document recognition. Proceedings of the IEEE"
        ),
    ),
    Component(
        kind="dataset",
        name="cifar10",
        config=Cifar10Config,
        build="ebmkit.data.cifar:build_cifar10",
        summary="60,000 colour 32x32 images in 10 classes, from the original batches or npz files",
        cite=(
            "Alex Krizhevsky (2009). Learning multiple layers of features from tiny images. Technical report, "
            "University of Toronto"
        ),
    ),
    Component(
        kind="dataset",
        name="npz",
        config=NpzConfig,
        build="ebmkit.data.npz:build_npz",
        summary="arrays x (uint8 or float) and perhaps y in an npz file",
    ),
    Component(
        kind="dataset",
        name="folder",
        config=FolderConfig,
        build="ebmkit.data.folder:build_folder",
        summary="images in a folder; sub-folders are classes",
    ),
    Component(
        kind="dataset",
        name="toy",
        config=ToyConfig,
        build="ebmkit.data.toy:build_toy",
        summary="2-D densities drawn on the fly: rings, moons, eight-gaussians, checkerboard",
    ),
    MIXTURE,
    Component(
        kind="dataset",
        name="toy-discrete",
        config=ToyDiscreteConfig,
        build="ebmkit.data.lattice:build_lattice",
        summary="exact draws of small Ising and Potts lattices, for samplers of discrete x",
        gives=("data.discrete",),
    ),
    Component(
        kind="dataset",
        name="hf",
        config=HfConfig,
        build="ebmkit.data.hub:build_hf",
        summary="an image set of the Hugging Face hub (needs ebmkit-core[hf])",
    ),
)
