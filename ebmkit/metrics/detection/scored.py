"""A data set with its out-of-distribution values."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ebmkit.evaluation.uncertainty import share_error


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """A data set with its values.

    Attributes:
        rows: of the data set [N].
        scores: values [N], higher out of distribution, float64.
        flagged: [N] bool: they are above the threshold.
        labels: of the data set [N], None where it has none.
        notes: what was done to make the data fit the model.
        by: name of the values.
        fpr: share of new in-distribution data that are flagged at most.
    """

    rows: Tensor
    scores: Tensor
    flagged: Tensor
    labels: Tensor | None
    notes: tuple[str, ...]
    by: str
    fpr: float

    @property
    def share(self) -> float:
        """Of the data that are flagged."""
        return float(self.flagged.double().mean())

    @property
    def share_error(self) -> float:
        """One standard error of the share, as of a binomial; not 0 where none or all are flagged."""
        return share_error(self.share, len(self.flagged))

    @property
    def verdict(self) -> str:
        """What a share that is no larger than that of in-distribution data means, "" where it is larger."""
        if self.share - 2 * self.share_error > self.fpr:
            return ""
        if self.share_error > self.fpr:
            return "These data are too few to tell whether more of them are flagged than of new in-distribution data."
        return (
            f"No more of these data are flagged than of new in-distribution data would be: {self.by} does not "
            "tell them apart, or they are of the same law. `ebmkit eval RUN --metric ood --set "
            "'metric.ood.sets=[\"NAME:ARGUMENT\"]'` shows whether another score does."
        )
