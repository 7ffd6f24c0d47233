"""Gaussian data, for which every law along the ladder is a closed form."""

import torch
from ebmkit_recovery.anchor import build_anchor
from ebmkit_recovery.declarations import ANCHOR, LEVEL, RecoveryConfig, RecoveryLevelConfig
from ebmkit_recovery.level import build_level
from ebmkit_recovery.recovery import Recovery
from torch import nn

from ebmkit import Batch, BuildContext, Point

MEAN, SD = 0.6, 0.5
CONFIG = RecoveryLevelConfig(noise_levels=6, smooth=0.01)
LADDER = CONFIG.ladder()
T = CONFIG.noise_levels


def marginal(t):
    """Returns mean and variance of y = a_t x_{t−1}, t ≥ 1."""
    return MEAN * LADDER.kept[t], LADDER.variance(t, SD)


def posterior(t, anchor):
    """Returns mean and variance of y given x̃ = y + σ_t ε."""
    mean, variance = marginal(t)
    precision = 1 / variance + 1 / LADDER.sds[t] ** 2
    return (mean / variance + anchor / LADDER.sds[t] ** 2) / precision, 1 / precision


class Nothing(nn.Module):
    """E = 0 whatever it hears."""

    def forward(self, point: Point):
        return 0 * point.x.flatten(1).sum(dim=1)


def context(temperature=1.0):
    bare = BuildContext(event_shape=(2,), temperature=temperature)
    levelled = bare.replace(coordinates=(build_level(CONFIG, bare),))
    return levelled.replace(coordinates=(*levelled.coordinates, build_anchor(None, levelled)))


def exact(temperature=1.0):
    """Returns the energy whose marginals are those of the data."""
    config = RecoveryConfig(conditioning=4, base="gaussian", base_mean=MEAN, base_sd=SD)
    return Recovery(config, Nothing(), LADDER, temperature)


def at(t, x, anchor):
    return Point(x=x, aux={LEVEL: torch.full((len(x),), t), ANCHOR: anchor})


def lifted(n, seed=0):
    """Returns n Gaussian data, lifted by level and anchor."""
    rng = torch.Generator().manual_seed(seed)
    x = MEAN + SD * torch.randn(n, 2, generator=rng)
    point, batch = Point(x=x), Batch(x=x)
    for coordinate in context().coordinates:
        point = coordinate.lift(batch, point, rng)
    return point
