"""How large the values of the data are, where nothing else says it. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

USUAL_SD = (1 / 3, 3.0)
USUAL_MEAN = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Mean and s.d. of each entry of x over the data, in data units; an entry that never changes has the s.d. 1.

    Attributes:
        mean: of each entry, in the order of the flattened event.
        sd: of each entry.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    @property
    def is_usual(self) -> bool:
        """Whether every entry is about as a standard normal is: s.d. of 1/3 to 3, mean within ±3."""
        low, high = USUAL_SD
        return all(low <= sd <= high for sd in self.sd) and all(abs(mean) <= USUAL_MEAN for mean in self.mean)

    def __str__(self) -> str:
        means, sds = (sorted({f"{value:.3g}": value for value in values}.items(), key=lambda item: item[1])
                      for values in (self.mean, self.sd))  # fmt: skip
        return f"mean {_span(means)}, s.d. {_span(sds)}"


def _span(values: list[tuple[str, float]]) -> str:
    return values[0][0] if len(values) == 1 else f"{values[0][0]} to {values[-1][0]}"
