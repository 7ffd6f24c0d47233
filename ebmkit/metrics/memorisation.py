"""`memorisation`: do samples lie nearer to training images than images do that the model never saw?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from PIL.Image import Image
from torch import Tensor

from ebmkit.errors import DataError
from ebmkit.evaluation.pictures import grid, to_uint8
from ebmkit.evaluation.uncertainty import bootstrap, share_error
from ebmkit.metrics.declarations.features import MemorisationConfig
from ebmkit.metrics.features.sets import features_of
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Estimate, Measured, Subject

CHUNK = 250
COLUMNS = 10

DEFINITION = (
    "Share of samples whose nearest of {n_train:,} training images is nearer than that of all but {quantile:.0%} of "
    "{n_test:,} test images, by Euclidean distance of pixels and of the features '{name}': about {quantile:.0%} for a "
    "model that copies no more than chance, 1 for one that only copies; error: of {draws} bootstrap draws, and of a "
    "share at least √(p (1 − p) / n)"
)
CAVEAT = (
    "In pixels, smooth and nearly empty images lie near everything: a share above that of test images is a reason to "
    "look at the picture, no proof. Copies that were shifted or recoloured are not found."
)


def nearest(x: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
    """Returns for each row of x [B, D] the distance [B] to the nearest row of data [N, D], and its index [B]."""
    middle = data.mean(dim=0)  # differences of squares keep their digits near the origin
    centred = data - middle
    squares = centred.square().sum(dim=1)
    index = torch.cat([(squares - 2.0 * (rows - middle) @ centred.T).argmin(dim=1) for rows in torch.split(x, CHUNK)])
    return (x - data[index]).norm(dim=1), index


def share_nearer(samples: Tensor, test: Tensor, quantile: float) -> float:
    """Returns the share of distances [N] below a quantile of the distances of test images [M].

    Source: after Meehan, Chaudhuri, Dasgupta (2020), section 3, who compare the same two sets of distances. Departure:
    the share below a low quantile in place of their rank statistic, as it can be read and its samples shown.

    Raises:
        DataError: so few test images that no more than half a one is below the quantile.
    """
    if len(test) * quantile < 1.0:
        raise DataError(
            f"The quantile {quantile:g} of distances needs at least {round(1 / quantile)} test images, found "
            f"{len(test)}."
        )
    return float((samples < torch.quantile(test, quantile)).double().mean())


@dataclass(frozen=True, kw_only=True, slots=True)
class Memorisation:
    """Measures samples and test images against all training images."""

    config: MemorisationConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns the share of samples that lie near in pixels and in features, distances, and pictures."""
        features = features_of(subject, self.config.features)
        n_data = subject.model.data.n_data
        train, test = subject.data("train", min(self.config.n_train or n_data, n_data)).x, subject.data("test").x
        samples = subject.samples().x
        sets = (samples, train, test)
        spaces = {"pixels": [x.flatten(1) for x in sets], features.name: [features.features(x) for x in sets]}
        rng = subject.rng("bootstrap memorisation")
        estimates, histograms, pictures = dict[str, Estimate](), {}, {}
        for space, (ours, theirs, others) in spaces.items():
            (near, index), (far, _) = nearest(ours, theirs), nearest(others, theirs)
            for row, estimate in _numbers(near, far, self.config, rng).items():
                estimates[f"{row}: {space}"] = estimate
            histograms[f"distance to the nearest training image, {space}"] = {"samples": near, "test images": far}
            first = near.argsort()[: self.config.shown]
            pictures[f"nearest-{space}"] = pairs(samples[first], train[index[first]], features.value_range)
        definition = DEFINITION.format(
            n_train=len(train), quantile=self.config.quantile, n_test=len(test), name=features.name,
            draws=self.config.bootstrap,
        )  # fmt: skip
        return Measured(
            estimates=estimates, definition=definition, notes=(CAVEAT,), histograms=histograms, pictures=pictures
        )


def _numbers(near: Tensor, far: Tensor, config: MemorisationConfig, rng: torch.Generator) -> dict[str, Estimate]:
    """Returns the share of the distances of samples [N] that are low beside those of test images [M], and medians."""
    draw = partial(bootstrap, rng=rng, resamples=config.bootstrap)
    nearer = partial(share_nearer, quantile=config.quantile)
    share, n = nearer(near, far), len(near)
    error = max(draw(nearer, near, far), share_error(share, n))
    return {
        "nearer than test images": Estimate(value=share, error=error, n=n, better="lower"),
        "median distance of samples": Estimate(value=_median(near), error=draw(_median, near), n=n),
        "median distance of test images": Estimate(value=_median(far), error=draw(_median, far), n=len(far)),
    }


def pairs(samples: Tensor, neighbours: Tensor, value_range: tuple[float, float], scale: int = 2) -> Image:
    """Returns a picture of rows of samples [N, C, H, W], with the nearest training image below each, enlarged."""
    blank = torch.full_like(samples[:1], value_range[1])
    rows: list[Tensor] = []
    for above, below in zip(torch.split(samples, COLUMNS), torch.split(neighbours, COLUMNS), strict=True):
        rest = blank.expand(COLUMNS - len(above), *blank.shape[1:])
        rows += [above, rest, below, rest]
    return grid(to_uint8(torch.cat(rows), value_range), COLUMNS, scale)


def _median(distances: Tensor) -> float:
    return float(distances.median())


def build_memorisation(config: MemorisationConfig, context: BuildContext) -> Memorisation:
    """Returns the metric."""
    return Memorisation(config=config)
