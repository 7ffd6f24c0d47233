"""The objective: the cross-entropy of the classes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from ebmkit import (
    BuildContext,
    CapabilityError,
    DataError,
    Energy,
    Phases,
    Requires,
    abilities_of,
    at_least_fp32,
)
from ebmkit_jem.declarations import JemConfig
from ebmkit_jem.logit_head import LOGITS, labels_found


class Jem:
    """weight · mean −log p(y | x), p(y | x) = softmax of the logits f(x), nats.

    Beside `cd` of E(x) = −log Σ_y exp f(x)[y] it is, with weight 1 and at temperature 1, −log p(x, y) = −log p(x)
    − log p(y | x) of the joint density p(x, y) ∝ exp f(x)[y]. At another temperature T the gradient of cd is T times
    that of −log p(x), so weight = T would be the joint likelihood; published is 1 at T = 5e-5.

    Source: Grathwohl et al., ICLR 2020, eq. 6 to 9.
    """

    def __init__(self, config: JemConfig) -> None:
        self.config = config
        self.requires = Requires(negatives=False, abilities=frozenset({"energy", LOGITS}))

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns "classification", nats; raises DataError where the batch has no labels."""
        if phases.batch.y is None:
            raise DataError(no_labels(0))
        logits = at_least_fp32(phases.evaluate("positive", LOGITS))
        return {"classification": self.config.weight * functional.cross_entropy(logits, phases.batch.y.long())}


def no_labels(n_classes: int) -> str:
    """Returns the message for data of fewer than two classes."""
    return (
        f"jem learns p(y | x) from labels, but {labels_found(n_classes)}: choose a data set with labels of two classes "
        "or more, or --objective cd."
    )


def build_jem(config: JemConfig, context: BuildContext) -> Jem:
    """Builds the objective.

    Raises:
        DataError: the data have no labels.
        CapabilityError: the energy has no logits.
    """
    if context.n_classes < 2:
        raise DataError(no_labels(context.n_classes))
    if context.inner is not None and LOGITS not in abilities_of(context.inner):
        raise CapabilityError(
            "jem asks the energy for the logits of the classes, but it gives none: add --wrapper logit-head, or give "
            f"it the ability '{LOGITS}', [B, {context.n_classes}]."
        )
    return Jem(config)
