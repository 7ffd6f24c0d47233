"""The sets of images that metrics on features compare: samples, training images, and real images for a floor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ebmkit.errors import CapabilityError, DataError
from ebmkit.metrics.declarations.features import SHAPES, unfit
from ebmkit.metrics.features.named import Features, load_features
from ebmkit.protocols.metric import Subject

BY_SHAPE = {shape: name for name, shape in SHAPES.items()}
"""Features of images of a shape, where none are named."""


def features_of(subject: Subject, asked: str) -> Features:
    """Returns the named features for the images of a model, and notes where they come from.

    Raises:
        CapabilityError: they are not of images of this shape, or none were named and none that ship are.
        RecipeError, DataError: as `load_features`.
    """
    spec = subject.model.data
    shape = tuple(spec.event_shape)
    wrong = unfit(asked, shape)
    if wrong:
        raise CapabilityError(f"{wrong[0].upper()}{wrong[1:]}")
    features = load_features(asked or BY_SHAPE[shape], shape, spec.value_range, subject.model.device)
    subject.note(f"features '{features.name}': {features.source}")
    return features


@dataclass(frozen=True, kw_only=True, slots=True)
class Sets:
    """Features of three sets.

    Attributes:
        samples: of fresh samples [N, D].
        reference: of training images [M, D].
        real: of real images that are not among the reference [R, D]; None where there are none.
        where: what these are: "test" or "other training images".
        notes: what a reader should know of them.
    """

    samples: Tensor
    reference: Tensor
    real: Tensor | None
    where: str
    notes: tuple[str, ...] = ()

    def rows(self, key: str) -> Iterator[tuple[str, Tensor, Literal["lower", "higher", ""]]]:
        """Yields the key, features and direction of the samples, then those of the real images where there are some."""
        yield key, self.samples, "lower"
        if self.real is not None:
            yield f"{key} of {self.where} images", self.real, ""


def feature_sets(subject: Subject, features: Features) -> Sets:
    """Returns the features of samples, of as many training images as asked, and of as many real images as samples."""
    samples = subject.samples().x
    reference, real, where, notes = real_sets(subject, len(samples))
    return Sets(
        samples=features.features(samples),
        reference=features.features(reference),
        real=None if real is None else features.features(real),
        where=where,
        notes=notes,
    )


def real_sets(subject: Subject, n: int) -> tuple[Tensor, Tensor | None, str, tuple[str, ...]]:
    """Returns training images, up to n other real images, what these are, and notes.

    Test images where there are some; else training images beyond the reference, if enough are left.
    """
    try:
        real = subject.data("test", n).x
    except DataError:
        return _training_alone(subject, n)
    fewer = f"Only {len(real):,} test images stand beside {n:,} samples: their number is a little too high for a floor."
    return subject.data("train").x, real, "test", (fewer,) if len(real) < n else ()


def _training_alone(subject: Subject, n: int) -> tuple[Tensor, Tensor | None, str, tuple[str, ...]]:
    both = subject.data("train", subject.n_data + n).x
    if len(both) < subject.n_data + n:
        note = "There are no test images, and too few training images to split: no real images are compared."
        return both[: subject.n_data], None, "", (note,)
    note = "There are no test images: other training images stand in for them."
    return both[: subject.n_data], both[subject.n_data :], "other training", (note,)
