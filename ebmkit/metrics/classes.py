"""`classes`: which classes samples show, by a classifier over the classes of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.evaluation.uncertainty import bootstrap, share_error, standard_error
from ebmkit.metrics.declarations.features import ClassesConfig
from ebmkit.metrics.features.named import Features
from ebmkit.metrics.features.sets import features_of
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Better, Estimate, Measured, Subject

DEFINITION = (
    "The classifier '{name}' gives each image its most likely class. A class is covered if at least {share:.0%} of the "
    "images are given to it; entropy is that of the shares (evenly spread over {k} classes: {even:.2f}); confidence is "
    "the mean probability of the most likely class; error: of the share, or of {draws} bootstrap draws"
)


def shares(predicted: Tensor, n_classes: int) -> Tensor:
    """Returns the share of each class [K] among predicted classes [N]."""
    return torch.bincount(predicted, minlength=n_classes).double() / max(len(predicted), 1)


def covered(predicted: Tensor, n_classes: int, share: float) -> int:
    """Returns how many classes get at least a share of predicted classes [N]."""
    return int((shares(predicted, n_classes) >= share).sum())


def entropy(predicted: Tensor, n_classes: int) -> float:
    """Returns −Σ p log p of the shares of predicted classes [N], nats."""
    return float(torch.special.entr(shares(predicted, n_classes)).sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class Classes:
    """Measures samples, and held-out data beside them."""

    config: ClassesConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns coverage, entropy, confidence and the share of each class, of samples and of held-out data."""
        features = features_of(subject, self.config.features)
        names = class_names(features, subject.model.data.class_names, subject.model.data.n_classes)
        drawn, held_out = subject.samples().x, subject.held_out()
        logits = {"samples": features.logits(drawn), "held-out data": features.logits(held_out.x)}
        rng = subject.rng("bootstrap classes")
        estimates: dict[str, Estimate] = {}
        for column, found in logits.items():
            better: Better = "higher" if column == "samples" else ""
            rows = _quantities(found, names, self.config, rng)
            for row, (value, error) in rows.items():
                towards = better if row == FIRST else ""
                estimates[f"{row}: {column}"] = Estimate(value=value, error=error, n=len(found), better=towards)
        if held_out.y is not None and subject.model.data.n_classes:
            right = float((logits["held-out data"].argmax(dim=1) == held_out.y.cpu()).double().mean())
            n = len(held_out.x)
            estimates["accuracy: held-out data"] = Estimate(value=right, error=share_error(right, n), n=n)
        k = len(names)
        definition = DEFINITION.format(
            name=features.name, share=self.config.share, k=k, even=float(torch.tensor(k).log()),
            draws=self.config.bootstrap,
        )  # fmt: skip
        confidence = {column: _confidence(found) for column, found in logits.items()}
        return Measured(
            estimates=estimates, definition=definition, histograms={"confidence of the classifier": confidence}
        )


FIRST = "classes covered"


def class_names(features: Features, of_data: Sequence[str], n_classes: int) -> tuple[str, ...]:
    """Returns the names of the classes that a classifier tells apart.

    Raises:
        CapabilityError: it does not classify, or the data have other classes.
    """
    if not features.classes:
        raise CapabilityError(f"The features '{features.name}' name no classes: take those of a classifier.")
    is_other = tuple(of_data) != features.classes if of_data else n_classes not in (0, len(features.classes))
    if is_other:
        raise CapabilityError(
            f"The features '{features.name}' classify into {', '.join(features.classes)}; the data have "
            f"{', '.join(of_data) or f'{n_classes} classes'}. Name a classifier over these classes."
        )
    return features.classes


def _quantities(
    logits: Tensor, names: Sequence[str], config: ClassesConfig, rng: Generator
) -> dict[str, tuple[float, float]]:
    """Returns value and error of each row of the table for one set of logits [N, K]."""
    predicted, sure, k = logits.argmax(dim=1), _confidence(logits), len(names)

    def both(statistic: Callable[[Tensor], float]) -> tuple[float, float]:
        return statistic(predicted), bootstrap(statistic, predicted, rng=rng, resamples=config.bootstrap)

    each = shares(predicted, k).tolist()
    return {
        FIRST: both(lambda rows: covered(rows, k, config.share)),
        "entropy": both(lambda rows: entropy(rows, k)),
        "confidence": (float(sure.mean()), standard_error(sure)),
        **{name: (share, share_error(share, len(predicted))) for name, share in zip(names, each, strict=True)},
    }


def _confidence(logits: Tensor) -> Tensor:
    """Returns the probability [N] of the most likely class."""
    return logits.double().softmax(dim=1).amax(dim=1)


def build_classes(config: ClassesConfig, context: BuildContext) -> Classes:
    """Returns the metric."""
    return Classes(config=config)
