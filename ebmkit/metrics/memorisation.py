"""`memorisation`: do samples lie nearer to training images than images do that the model never saw?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL.Image import Image
from torch import Tensor

from ebmkit.errors import DataError
from ebmkit.evaluation.pictures import grid, to_uint8
from ebmkit.metrics.bootstrap import bootstrap_error
from ebmkit.metrics.declarations.features import MemorisationConfig
from ebmkit.metrics.on_features import features_of
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Estimate, Measured, Subject

CHUNK = 250
COLUMNS = 10

DEFINITION = (
    "Share of samples whose nearest of {n_train:,} training images is nearer than that of all but {quantile:.0%} of "
    "{n_test:,} test images, by Euclidean distance of pixels and of the features '{name}': about {quantile:.0%} for a "
    "model that copies no more than chance, 1 for one that only copies; error: of {draws} bootstrap draws"
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
        n_train = min(self.config.n_train or subject.model.data.n_data, subject.model.data.n_data)
        sets = [subject.samples().x, subject.data("train", n_train).x, subject.data("test").x]
        samples, train, test = sets
        spaces = {
            "pixels": [x.flatten(1).float() for x in sets],
            features.name: [features.features(x) for x in sets],
        }
        rng = subject.rng("bootstrap memorisation")
        estimates, histograms, pictures = dict[str, Estimate](), {}, {}
        for space, (ours, theirs, others) in spaces.items():
            (near, index), (far, _) = nearest(ours, theirs), nearest(others, theirs)
            draws = self.config.bootstrap
            estimates |= {
                f"nearer than test images: {space}": Estimate(
                    share_nearer(near, far, self.config.quantile),
                    bootstrap_error(lambda a, b: share_nearer(a, b, self.config.quantile), draws, rng, near, far),
                    len(near), "lower",
                ),
                f"median distance of samples: {space}": _median(near, draws, rng),
                f"median distance of test images: {space}": _median(far, draws, rng),
            }  # fmt: skip
            histograms[f"distance to the nearest training image, {space}"] = {"samples": near, "test images": far}
            first = near.argsort()[: self.config.shown]
            pictures[f"nearest-{space}"] = pairs(samples[first], train[index[first]], features.value_range)
        definition = DEFINITION.format(
            n_train=len(train), quantile=self.config.quantile, n_test=len(test), name=features.name,
            draws=self.config.bootstrap,
        )  # fmt: skip
        return Measured(estimates, definition, notes=(CAVEAT,), histograms=histograms, pictures=pictures)


def pairs(samples: Tensor, neighbours: Tensor, value_range: tuple[float, float]) -> Image:
    """Returns a picture of rows of samples [N, C, H, W], with the nearest training image below each."""
    blank = torch.full_like(samples[:1], value_range[1])
    rows: list[Tensor] = []
    for above, below in zip(torch.split(samples, COLUMNS), torch.split(neighbours, COLUMNS), strict=True):
        rest = blank.expand(COLUMNS - len(above), *blank.shape[1:])
        rows += [above, rest, below, rest]
    return grid(to_uint8(torch.cat(rows), value_range), COLUMNS, scale=2)


def _median(distances: Tensor, draws: int, rng: torch.Generator) -> Estimate:
    error = bootstrap_error(lambda rows: float(rows.median()), draws, rng, distances)
    return Estimate(float(distances.median()), error, len(distances))


def build_memorisation(config: MemorisationConfig, context: BuildContext) -> Memorisation:
    """Returns the metric."""
    return Memorisation(config=config)
