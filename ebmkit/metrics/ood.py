"""Out-of-distribution detection: how well each value of a model tells held-out data from other sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from torch import Tensor

from ebmkit.display.doing import doing
from ebmkit.errors import DataError
from ebmkit.evaluation.clean_energy import CleanEnergy, checked_rows
from ebmkit.evaluation.other_data import set_names
from ebmkit.metrics.declarations.detection import OodConfig
from ebmkit.metrics.detection.detector import split_for_median
from ebmkit.metrics.detection.formulas import Asked
from ebmkit.metrics.detection.notes import verdicts
from ebmkit.metrics.detection.references import TRAINING
from ebmkit.metrics.detection.scores import OodScore, Reference, scores_for, values_with
from ebmkit.metrics.detection.separation import CONVENTION, FEWEST, FIGURES, Figure, separation
from ebmkit.metrics.detection.sets import BUILT_IN, built_in, usual_sets
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Better, Estimate, Measured, Subject
from ebmkit.rng import stream
from ebmkit.sampling.model import Model

BETTER: Mapping[str, Better] = {"AUROC": "higher", "AUPR": "higher", "FPR95": "lower"}
INSIDE = "held-out data"


class Ood:
    """AUROC, AUPR and FPR95 of every value of a model against every set.

    The last sixth of the held-out data gives the median of `typicality`, and nothing else; the rest are scored.
    """

    def __init__(self, config: OodConfig) -> None:
        self.config = config

    def measure(self, subject: Subject) -> Measured:
        """Returns the figures of each set and value, histograms of the values, and what the figures say.

        Raises:
            DataError: there are too few held-out data, or a set cannot be had.
            RecipeError, CapabilityError: a score is unknown, or the model lacks it.
            DivergenceError: a value is not finite.
        """
        model: Model = subject.model
        scores, notes = scores_for(model, self.config.scores)
        own, held = split_for_median(checked_rows(subject.held_out().x, model.data.event_shape))
        if len(held) < FEWEST:
            raise DataError(
                f"ood needs at least {FEWEST} held-out data to score, found {len(held)} of {len(held) + len(own)}: a "
                "sixth is kept for the median of `typicality`. Ask for more data (n_data)."
            )
        sets = dict(self._sets(subject, held))
        asked = Asked(model=model, energy=CleanEnergy(model), beta=self.config.beta)
        values = {}
        for score in scores:
            doing(f"scoring {sum(map(len, sets.values())) + len(held):,} data by {score.name}")
            valued = values_with(asked, score, partial(_reference, subject, own))
            values[score.name] = {name: valued(x) for name, x in {INSIDE: held, **sets}.items()}
        figures = dict(self._figures(values, subject.seed))
        n = {name: len(held) + len(x) for name, x in sets.items()}
        return Measured(
            estimates={
                f"{name}, {score}: {figure}": Estimate(
                    value=found[figure].value, error=found[figure].error, n=n[name], better=BETTER[figure]
                )
                for (name, score), found in figures.items()
                for figure in FIGURES
            },
            definition=self._definition(model, scores, len(held), tuple(sets)),
            notes=(*verdicts(figures), *notes),
            histograms={
                f"{score.name}, {score.unit}; what is far out stands at the ends": _near(values[score.name])
                for score in scores
            },
        )

    def _sets(self, subject: Subject, held: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yields the out-of-distribution sets by name; built-in ones have as many data as are held out."""
        data = subject.model.data
        texts = self.config.sets or usual_sets(data)
        for text, short in zip(texts, set_names(texts), strict=True):
            name = text if short == INSIDE else short
            if text in BUILT_IN:
                yield name, built_in(text, held, data, subject.rng(f"ood {text}"))
            else:
                yield name, checked_rows(subject.other(text, len(held)).x, data.event_shape)

    def _figures(
        self, values: Mapping[str, Mapping[str, Tensor]], seed: int
    ) -> Iterator[tuple[tuple[str, str], Mapping[str, Figure]]]:
        """Yields the figures of each (set, value), sets first."""
        sets = [name for name in next(iter(values.values())) if name != INSIDE]
        for name in sets:
            for score, found in values.items():
                rng = stream(seed, 0, f"ood bootstrap {name} {score}")
                yield (name, score), separation(found[INSIDE], found[name], rng, resamples=self.config.resamples)

    def _definition(self, model: Model, scores: tuple[OodScore, ...], n: int, sets: tuple[str, ...]) -> str:
        told = "; ".join(f"{score.name} = {score.meaning}" for score in scores)
        beta = f", β = {self.config.beta:g}" if any(score.name == "latent-joint" for score in scores) else ""
        made = ", ".join(f"{name}: {BUILT_IN[name][1]}" for name in sets if name in BUILT_IN)
        return (
            f"{n:,} held-out data against each set, by {told} (T = {model.temperature:g}{beta}). "
            f"{CONVENTION[0].upper()}{CONVENTION[1:]}. {'Sets made here: ' + made + '. ' if made else ''}"
            "Errors: bootstrap over either set"
        )


def build_ood(config: OodConfig, context: BuildContext) -> Ood:
    """Builds the metric."""
    return Ood(config)


def _reference(subject: Subject, own: Tensor, kind: Reference) -> Tensor:
    """Returns the data that a value is a distance from: held-out ones that are not scored, or training data."""
    if kind == "held-out":
        return own
    shape: tuple[int, ...] = subject.model.data.event_shape
    return checked_rows(subject.data("train", TRAINING).x, shape)


def _near(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns values clamped to three widths of the held-out ones: noise, far out, would leave them a single bar."""
    inside = values[INSIDE]
    low, high = float(inside.quantile(0.001)), float(inside.quantile(0.999))
    return {name: found.clamp(low - (high - low), high + (high - low)) for name, found in values.items()}
