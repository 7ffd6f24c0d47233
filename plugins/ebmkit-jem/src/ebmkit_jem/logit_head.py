"""One logit for each class, and the energies of x and of (x, y) that they are."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ebmkit import (
    BuildContext,
    CapabilityError,
    DataError,
    Energy,
    Point,
    abilities_of,
    at_least_fp32,
    lacks_ability,
    level_coordinate_of,
    levels_of,
    seeded,
    values_of,
)
from ebmkit.energies.heads import Condition
from ebmkit.energies.probe import length_of
from ebmkit_jem.declarations import LABEL, LogitHeadConfig

LOGITS = "logits"
"""The ability to give f(x) [B, K], one number for each class, in nats: p(y | x) is their softmax."""

LABELS = levels_of(LABEL)
"""The ability to give the energies of x with each class."""


def energy_of_x(logits: Tensor) -> Tensor:
    """Returns E(x) = −log Σ_y exp f(x)[y] [B], nats, of logits f [B, K] (Grathwohl et al., 2020, eq. 7).

    >>> energy_of_x(torch.tensor([[0.0, 0.0]]))  # −log 2
    tensor([-0.6931])
    """
    return -torch.logsumexp(logits, dim=1)


class LogitHead(nn.Module):
    """E(x) = −log Σ_y exp f(x)[y], f a linear map of the features; of a point that holds a class, E(x, y) = −f(x)[y].

    At temperature 1 the second is the joint law of which the first is the marginal, and a chain that is given a class y
    samples p(x | y) ∝ p(x) p(y | x). At a lower T it is drawn to the class more strongly than that, as published. The
    backbone is not shown the class.

    Source: Grathwohl et al., ICLR 2020, eq. 5 and 7.
    """

    def __init__(self, inner: Energy, *, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.inner = inner
        self.linear = nn.Linear(n_features, n_classes)
        of_energy = {name for name in abilities_of(inner) if level_coordinate_of(name)} | {"latent"}
        self.abilities = abilities_of(inner) - of_energy | {"features", LOGITS, LABELS}

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns what was asked for, from one pass of the backbone."""
        if not set(abilities) <= self.abilities:
            raise lacks_ability(self, sorted(set(abilities) - self.abilities)[0])
        inner = [name for name in abilities if name not in ("energy", LOGITS, LABELS)]
        values = dict(values_of(self.inner, point.without(LABEL), *dict.fromkeys([*inner, "features"])))
        logits = at_least_fp32(self.linear(values["features"].to(self.linear.weight.dtype)))
        values[LOGITS] = logits
        values[LABELS] = -logits
        if "energy" in abilities:
            values["energy"] = self._energy(point, values)
        return {name: values[name] for name in abilities}

    def logits(self, point: Point) -> Tensor:
        """Returns f [B, K], fp32."""
        return self.evaluate(point, LOGITS)[LOGITS]

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats: of x, or of (x, y) where the point holds a class."""
        return self.evaluate(point, "energy")["energy"]

    def _energy(self, point: Point, values: Mapping[str, Tensor]) -> Tensor:
        if LABEL not in point.aux:
            return energy_of_x(values[LOGITS])
        return values[LABELS].gather(1, point.aux[LABEL].long()[:, None])[:, 0]


def labels_found(n_classes: int) -> str:
    """Returns what is wrong with data of fewer than two classes.

    >>> labels_found(0)
    'the data have no labels'
    """
    return "all labels of the data are of one class" if n_classes else "the data have no labels"


def build_logit_head(config: LogitHeadConfig, context: BuildContext) -> LogitHead:
    """Wraps `context.inner`.

    Raises:
        CapabilityError: there is none, it has no features, or they see the class.
        DataError: the data have no labels.
    """
    if context.inner is None:
        raise CapabilityError("logit-head wraps an energy, found none: set inner in the BuildContext.")
    if context.n_classes < 2:
        raise DataError(
            f"logit-head gives one logit for each class, as jem learns them, but {labels_found(context.n_classes)}: "
            "choose a data set with labels of two classes or more, or leave head and jem out."
        )
    _check_blind(context.inner)
    n_features = length_of(context.inner, "features", context, hidden=(LABEL,))
    with seeded(context.seed):
        head = LogitHead(context.inner, n_features=n_features, n_classes=context.n_classes)
    return head.to(context.device)


def _check_blind(inner: Energy) -> None:
    """Raises CapabilityError where a backbone of core hears the class: its features would give the answer away."""
    modules = inner.modules() if isinstance(inner, nn.Module) else ()
    if any(isinstance(m, Condition) and (m.embedding is not None or m.n_one_hot) for m in modules):
        raise CapabilityError(
            "logit-head tells the classes apart by features that do not know the class, but energy.labels = true shows "
            "it to them: set energy.labels = false."
        )
