"""Declarations of the metrics on named features, and their settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt, Interval

from ebmkit.plugins.component import Component, Need, Selection
from ebmkit.plugins.short_repr import short_repr

Count = Annotated[int, Ge(0)]
Draws = Annotated[int, Ge(2)]

SHAPES = {"garments": (1, 28, 28), "resnet20": (3, 32, 32)}
"""Images [C, H, W] that the features which ship are of."""

WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"

IMAGES = Need("data.images", otherwise="Features are of images: leave this metric out")


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class FdConfig:
    """Settings of `fd`.

    Attributes:
        features: "garments" (grey 28×28), "resnet20" (colour 32×32), a file (.safetensors, .pt, .pth, .pt2) or
            package.module:callable; empty for the one that ships for this shape.
        bootstrap: draws for the errors.
    """

    features: str = ""
    bootstrap: Draws = 100


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class KidConfig:
    """Settings of `kid`.

    Attributes:
        features: as of `fd`.
        subset_size: the most images of a subset; more are cut into several, whose mean is taken.
    """

    features: str = ""
    subset_size: Annotated[int, Ge(10)] = 1000


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class PrecisionRecallConfig:
    """Settings of `precision-recall`.

    Attributes:
        features: as of `fd`.
        k: the neighbour whose distance is the radius of a ball.
    """

    features: str = ""
    k: Annotated[int, Gt(0)] = 3


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class FidConfig:
    """Settings of `fid`.

    Attributes:
        weights: file of the Inception-v3 weights that FID is defined on, pt_inception-2015-12-05-6726825d.pth.
        bootstrap: draws for the error, each about half a minute of one core.
    """

    weights: str = ""
    bootstrap: Draws = 5


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ClassesConfig:
    """Settings of `classes`.

    Attributes:
        features: a classifier over the classes of the data, as of `fd`.
        share: of the samples that a class must get to count as covered.
        bootstrap: draws for the errors.
    """

    features: str = ""
    share: Annotated[float, Interval(gt=0.0, lt=1.0)] = 0.03
    bootstrap: Draws = 200


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class MemorisationConfig:
    """Settings of `memorisation`.

    Attributes:
        features: as of `fd`.
        n_train: training images among which neighbours are sought; 0 for all.
        quantile: of the distances of test images, below which a sample counts as near.
        shown: samples in each picture.
        bootstrap: draws for the errors.
    """

    features: str = ""
    n_train: Count = 0
    quantile: Annotated[float, Interval(gt=0.0, lt=1.0)] = 0.01
    shown: Annotated[int, Gt(0)] = 20
    bootstrap: Draws = 200


def unfit(asked: str, shape: tuple[int, ...]) -> str:
    """Returns why no features of a name, or none that ship for "", are of data of a shape; "" where they may be."""
    if SHAPES.get(asked, shape) == shape and (asked or shape in SHAPES.values()):
        return ""
    found = f"the features '{asked}' are not" if asked else "no features that ship are"
    of = ", ".join(f"{name} {list(sides)}" for name, sides in SHAPES.items())
    return (
        f"{found} of data {list(shape)} ({of}). Name a network of your own: features = FILE.pt2, or "
        "package.module:callable."
    )


def features_refused(config: Any, selection: Selection) -> str:
    """Returns why the features of a metric cannot be of these data."""
    return "" if selection.event_shape is None else unfit(config.features, tuple(selection.event_shape))


def asked_features_refused(config: Any, selection: Selection) -> str:
    """Returns why features that were asked for cannot be of these data, of a metric that does without them."""
    return features_refused(config, selection) if config.features else ""


def fid_refused(config: FidConfig, selection: Selection) -> str:
    """Returns why nothing is called FID without the weights that it is defined on, "" where a file is named."""
    if config.weights:
        return ""
    return (
        f"fid is defined on the weights of one network: set weights = FILE ({WEIGHTS}, which ebmkit does not ship and "
        "does not fetch). Without that file, use fd, whose name says which features it is on."
    )


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="metric",
        name="fd",
        config=FdConfig,
        build="ebmkit.metrics.fd:build_fd",
        summary="Fréchet distance of samples to training images on named features",
        needs=(IMAGES,),
        refuse=features_refused,
        cite=(
            "D. C. Dowson, B. V. Landau (1982). The Fréchet distance between multivariate normal distributions. "
            "Journal of Multivariate Analysis; "
            "Martin Heusel, Hubert Ramsauer, Thomas Unterthiner, Bernhard Nessler, Sepp Hochreiter (2017). GANs "
            "trained by a two time-scale update rule converge to a local Nash equilibrium. NeurIPS. arXiv:1706.08500"
        ),
    ),
    Component(
        kind="metric",
        name="kid",
        config=KidConfig,
        build="ebmkit.metrics.kid:build_kid",
        summary="kernel distance (unbiased squared MMD) of samples to training images on named features",
        needs=(IMAGES,),
        refuse=features_refused,
        cite=(
            "Mikołaj Bińkowski, Danica J. Sutherland, Michael Arbel, Arthur Gretton (2018). Demystifying MMD GANs. "
            "ICLR. arXiv:1801.01401"
        ),
    ),
    Component(
        kind="metric",
        name="precision-recall",
        config=PrecisionRecallConfig,
        build="ebmkit.metrics.precision_recall:build_precision_recall",
        summary="share of samples among the data, and of data among the samples, on named features",
        needs=(IMAGES,),
        refuse=features_refused,
        cite=(
            "Tuomas Kynkäänniemi, Tero Karras, Samuli Laine, Jaakko Lehtinen, Timo Aila (2019). Improved precision "
            "and recall metric for assessing generative models. NeurIPS. arXiv:1904.06991"
        ),
    ),
    Component(
        kind="metric",
        name="fid",
        config=FidConfig,
        build="ebmkit.metrics.fid:build_fid",
        summary="Fréchet Inception distance, with the Inception-v3 weights that define it, from a file",
        needs=(IMAGES,),
        refuse=fid_refused,
        cite=(
            "Martin Heusel, Hubert Ramsauer, Thomas Unterthiner, Bernhard Nessler, Sepp Hochreiter (2017). GANs "
            "trained by a two time-scale update rule converge to a local Nash equilibrium. NeurIPS. arXiv:1706.08500; "
            "Anton Obukhov, Maksim Seitzer, Po-Wei Wu, Semen Zhydenko, Jonathan Kyl, Elvis Yu-Jing Lin (2020). "
            "High-fidelity performance metrics for generative models in PyTorch. doi:10.5281/zenodo.4957738"
        ),
    ),
    Component(
        kind="metric",
        name="classes",
        config=ClassesConfig,
        build="ebmkit.metrics.classes:build_classes",
        summary="how many classes samples show, how evenly and how clearly, by a classifier",
        needs=(IMAGES,),
        refuse=features_refused,
        cite=(
            "Akash Srivastava, Lazar Valkov, Chris Russell, Michael U. Gutmann, Charles Sutton (2017). VEEGAN: "
            "Reducing mode collapse in GANs using implicit variational learning. NeurIPS. arXiv:1705.07761"
        ),
    ),
    Component(
        kind="metric",
        name="memorisation",
        config=MemorisationConfig,
        build="ebmkit.metrics.memorisation:build_memorisation",
        summary="whether samples lie nearer to training images than test images do, with the neighbours shown",
        needs=(IMAGES,),
        refuse=features_refused,
        cite=(
            "Casey Meehan, Kamalika Chaudhuri, Sanjoy Dasgupta (2020). A non-parametric test to detect data-copying in "
            "generative models. AISTATS. arXiv:2004.05675"
        ),
    ),
)
