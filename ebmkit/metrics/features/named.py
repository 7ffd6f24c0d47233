"""Named features: the network on whose features a metric compares images, and whose name every number carries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError, DataError
from ebmkit.metrics.features.extractors import Answer, Extractor, find_extractor

CHUNK = 500
"""Images at a time; the memory of a pass is bounded by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """A feature extractor, fitted to the images of a model.

    Images outside their value range are clamped to it, as in pictures.

    Attributes:
        extractor: the network, and what it wants.
        event_shape: of one image, [C, H, W].
        value_range: (lowest, highest) value of a pixel.
        n_features: D.
        device: where the network is.
    """

    extractor: Extractor
    event_shape: tuple[int, ...]
    value_range: tuple[float, float]
    n_features: int
    device: torch.device | str

    @property
    def name(self) -> str:
        """What is printed with every number: "garments"."""
        return self.extractor.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes, () where it does not classify."""
        return self.extractor.classes

    @property
    def source(self) -> str:
        """Where the network comes from: training data, accuracy, licence."""
        return self.extractor.source

    def features(self, x: Tensor) -> Tensor:
        """Returns the features [B, D] of images x [B, C, H, W] in the value range, on the CPU."""
        return self.both(x)[0]

    def logits(self, x: Tensor) -> Tensor:
        """Returns the logits [B, K] of images x, on the CPU; raises CapabilityError where it does not classify."""
        logits = self.both(x)[1]
        if logits is None:
            raise CapabilityError(f"The features '{self.name}' do not classify: take those of a classifier.")
        return logits

    def both(self, x: Tensor) -> Answer:
        """Returns the features [B, D] and the logits [B, K] or None of images x, from one pass, on the CPU.

        Raises:
            DataError: images of another shape, or that are not finite.
        """
        if tuple(x.shape[1:]) != self.event_shape:
            raise DataError(
                f"The features '{self.name}' were loaded for images {list(self.event_shape)}; these have "
                f"{list(x.shape[1:])}."
            )
        n_bad = int((~torch.isfinite(x)).flatten(1).any(dim=1).sum())
        if n_bad:
            raise DataError(f"{n_bad} of {len(x)} images are not finite, so they have no features '{self.name}'.")
        passes = [self._answer(chunk) for chunk in torch.split(x, CHUNK)]
        features = torch.cat([found for found, _ in passes])
        logits = [found for _, found in passes if found is not None]
        return features, torch.cat(logits) if logits else None

    @torch.no_grad()
    def _answer(self, x: Tensor) -> Answer:
        low, high = self.value_range
        wanted_low, wanted_high = self.extractor.input_range
        share = ((x.to(self.device, torch.float32) - low) / (high - low)).clamp(0.0, 1.0)
        features, logits = self.extractor.answer(wanted_low + (wanted_high - wanted_low) * share)
        return features.cpu(), None if logits is None else logits.cpu()


def load_features(
    asked: str,
    event_shape: tuple[int, ...],
    value_range: tuple[float, float] | None,
    device: torch.device | str = "cpu",
) -> Features:
    """Returns named features for the images of a model.

    Args:
        asked: "garments" (grey 28×28, ships with ebmkit), "resnet20" (colour 32×32, ships with ebmkit), a file
            (`.safetensors`, `.pt` or `.pth` of one of these two architectures, or `.pt2`, an exported program), or
            "package.module:callable", which returns a module.
        event_shape: of one image, [C, H, W].
        value_range: (lowest, highest) value of a pixel.
        device: where the network is to run.

    Raises:
        DataError: the data are no images of a known range, or of another size than the network wants; or a file is
            missing or damaged.
        RecipeError: there are no such features.
        CapabilityError: the network does not return features [B, D].
    """
    if len(event_shape) != 3 or event_shape[0] not in (1, 3):
        raise DataError(f"Features are of images [1 or 3, H, W]; a datum has shape {list(event_shape)}.")
    if value_range is None:
        raise DataError(
            f"The features '{asked}' want pixels of a known range, but these data have none: scale them to [0, 1]."
        )
    extractor = find_extractor(asked)
    wanted = extractor.input_shape
    if wanted is not None and tuple(wanted) != tuple(event_shape):
        raise DataError(
            f"The features '{extractor.name}' are of images {list(wanted)}, but the data have {list(event_shape)}. "
            "Take features of that size: 'garments' ([1, 28, 28]), 'resnet20' ([3, 32, 32]), or a network of your own."
        )
    extractor.network.to(device)
    n_features = _probed(extractor, event_shape, device)
    return Features(
        extractor=extractor, event_shape=tuple(event_shape), value_range=value_range, n_features=n_features,
        device=device,
    )  # fmt: skip


@torch.no_grad()
def _probed(extractor: Extractor, event_shape: tuple[int, ...], device: torch.device | str) -> int:
    """Returns D; raises CapabilityError where the network does not take 3 and 2 images, or returns no features."""
    low, high = extractor.input_range
    for n in (3, 2):
        middle = torch.full((n, *event_shape), (low + high) / 2, device=device)
        try:
            features, logits = extractor.answer(middle)
        except (RuntimeError, AssertionError, ValueError, TypeError, IndexError) as error:
            raise CapabilityError(
                f"The features '{extractor.name}' cannot take {n} images {list(event_shape)}: {error}. A program is to "
                "be exported with a dynamic batch."
            ) from error
        k = len(extractor.classes)
        if features.ndim != 2 or len(features) != n or (logits is not None and k and logits.shape != (n, k)):
            found = [list(part.shape) for part in (features, logits) if part is not None]
            raise CapabilityError(
                f"The features '{extractor.name}' of {n} images should be [{n}, D], or a pair of that and logits "
                f"[{n}, {k or 'K'}]; found {found}."
            )
    return int(features.shape[1])
