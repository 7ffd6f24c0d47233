"""The table of alarms: what is looked at, from where on, what it means and what to change. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite

from ebmkit.training.alarms import measures
from ebmkit.training.alarms.measures import Looked

EVERY = 10
"""Training steps from one look to the next; the first step is looked at, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """One line of the table.

    Attributes:
        name: by which it is called in messages and in `alarms.jsonl`.
        signal: what is measured, in a few words.
        detail: more about it, for the documentation.
        measure: measures it, larger is worse; None where this run has no such signal. "Not finite" lines have none:
            whoever meets such a value names the line.
        warn: above it in `warn_looks` looks in a row, a warning is told.
        stop: above it in `stop_looks` looks in a row, the run stops.
        meaning: one sentence.
        change: what to do about it.
    """

    name: str
    signal: str
    meaning: str
    change: str
    detail: str = ""
    measure: Callable[[Looked], float | None] | None = None
    warn: float = 0.0
    stop: float = 0.0
    warn_looks: int = 2
    stop_looks: int = 3

    @property
    def threshold(self) -> str:
        """Both thresholds, as the table of the documentation says them."""
        if self.measure is None:
            return "stops at the first"
        stop = f"stops above {_limit(self.stop, self.stop_looks)}" if isfinite(self.stop) else "never stops"
        return f"warns above {_limit(self.warn, self.warn_looks)}, {stop}"

    @property
    def advice(self) -> str:
        """What to change, and the name of the line."""
        return f"{self.change} (alarm {self.name}; docs/alarms.md)"


def _limit(value: float, looks: int) -> str:
    return f"{value:,.10g}" if looks == 1 else f"{value:,.10g} in {looks} looks"


ALARMS = (
    Alarm(
        name="data-not-finite",
        signal="rows of the batch with NaN or infinite values",
        meaning="The data hold NaN or infinite values",
        change="Clean the data, or look at what prepares them: a division by a standard deviation of zero, a logarithm "
        "of zero, a missing value.",
    ),
    Alarm(
        name="data-out-of-range",
        signal="share of the data's values outside the range that their set declares",
        measure=measures.outside,
        warn=0.0,
        stop=0.01,
        warn_looks=1,
        stop_looks=1,
        meaning="The data leave the range that their set declares, and chains are kept in that range",
        change="Scale the data to the range (8-bit pixels divided by 255, say), or declare the range that they have.",
    ),
    Alarm(
        name="data-scale",
        signal="spread of the data over spread of the chains, or their distance over spread of the data",
        detail="the larger of them, where the data are unbounded and their size is above 20",
        measure=measures.data_scale,
        warn=30.0,
        stop=100.0,
        warn_looks=1,
        stop_looks=2,
        meaning="The data are so wide, or so far from zero, that chains do not get there: they start around zero with "
        "a spread of 1",
        change="Standardise the data: subtract their mean and divide by their standard deviation.",
    ),
    Alarm(
        name="energy-scale",
        signal="spread of the energies of the data, in units of this run",
        detail="the unit is T·(d + 10) for d entries of x; where T < .001 it is only nominal, and the unit is 10,000 "
        "times the larger of spread and gap in the first step, at least 10 nats",
        measure=measures.energy_scale,
        warn=60.0,
        stop=200.0,
        meaning="The energies have left their scale: the network learns faster than the chains follow",
        change="Lower the learning rate by ten; bound the network by spectral norm, its gradient by optim.energy.clip, "
        "or the energies by the objective energy-l2.",
    ),
    Alarm(
        name="gap",
        signal="|E⁺ − E⁻|, in units of this run",
        detail="the unit of energy-scale; only while chains are within 20 sizes of the data",
        measure=measures.gap,
        warn=6.0,
        stop=15.0,
        warn_looks=3,
        stop_looks=5,
        meaning="The gap has left its scale: the chains do not follow the energy",
        change="Lower the learning rate by ten; give the chains more moves, or steps of a size that suits the data.",
    ),
    Alarm(
        name="chains-saturated",
        signal="share of the chains' values at an end of the range, beyond that in the data",
        detail="as a share of what is not at an end in the data",
        measure=measures.saturated,
        warn=0.9,
        stop=0.98,
        warn_looks=2,
        stop_looks=4,
        meaning="The chains lie at the ends of the range: the moves are too large for this energy",
        change="Lower the learning rate by ten, or the step size and noise of the sampler; bound the network by "
        "spectral norm.",
    ),
    Alarm(
        name="chains-fly",
        signal="distance of the chains from the centre of the data, over the size of the data",
        measure=measures.distance,
        warn=20.0,
        stop=50.0,
        meaning="The chains have left the data behind: the moves overshoot",
        change="Lower the step size of the sampler by three to ten, or take one that rejects (mala, hmc); if the "
        "energies grow as well, lower the learning rate.",
    ),
    Alarm(
        name="all-rejected",
        signal="share of the sampler's proposals that are rejected",
        measure=measures.rejected,
        warn=0.98,
        stop=0.99,
        warn_looks=5,
        stop_looks=15,
        meaning="The sampler rejects nearly all of its proposals, so the chains stand",
        change='Lower the step size of the sampler by ten, and let it adapt (adapt = "band"); if the energies grow, '
        "lower the learning rate.",
    ),
    Alarm(
        name="all-accepted",
        signal="spread of the data over the way of a chain, where over 99.5 % of the proposals are accepted",
        measure=measures.timid,
        warn=100.0,
        stop=inf,
        warn_looks=5,
        stop_looks=5,
        meaning="The sampler accepts all of its proposals because they are tiny",
        change='Raise the step size of the sampler, and let it adapt (adapt = "band").',
    ),
    Alarm(
        name="chains-still",
        signal="spread of the data over the way of a chain in a transition",
        measure=measures.stillness,
        warn=1e3,
        stop=1e4,
        warn_looks=5,
        stop_looks=10,
        meaning="The chains do not move",
        change="Raise the step size of the sampler, or its moves.",
    ),
    Alarm(
        name="chains-collapsed",
        signal="spread of the data over spread of the chains",
        detail="where data-scale does not apply",
        measure=measures.collapse,
        warn=20.0,
        stop=50.0,
        warn_looks=3,
        stop_looks=10,
        meaning="The chains are all alike: the energy has one deep point, or the buffer gives one row to all",
        change="Restart more chains (buffer.reinit), give the sampler more noise or moves; look at the buffer if it is "
        "your own.",
    ),
    Alarm(
        name="buffer-dead",
        signal="looks since the first at which the buffer holds the rows of the first",
        detail="in a new run, until one row has changed",
        measure=measures.unchanged,
        warn=4.0,
        stop=9.0,
        warn_looks=1,
        stop_looks=1,
        meaning="The buffer does not take the moved chains back: every step starts from the same rows",
        change="Look at the buffer's put: it must write to the rows that draw gave out. Fresh chains in every step are "
        "had from the buffer none.",
    ),
    Alarm(
        name="loss-scale",
        signal="largest loss, over its value in the first step",
        detail="that value is taken to be at least T·d, and .01",
        measure=measures.loss_growth,
        warn=1e5,
        stop=1e7,
        meaning="A loss has left its scale",
        change="Lower the learning rate by ten, or the weight of that loss.",
    ),
    Alarm(
        name="gradient-norm",
        signal="largest gradient norm of an owner of parameters, over its value in the first step",
        detail="that value is taken to be at least .001",
        measure=measures.gradient_growth,
        warn=1e4,
        stop=1e6,
        meaning="The gradients have left their scale",
        change="Lower the learning rate by ten, or bound the gradient by optim.OWNER.clip.",
    ),
    Alarm(
        name="gradient-jump",
        signal="largest gradient norm of an owner of parameters, over its usual value",
        detail="the geometric mean of about the last 50 looks; from the 51st look of a run or stage on",
        measure=measures.gradient_jump,
        warn=8.0,
        stop=inf,
        warn_looks=3,
        meaning="The gradient jumped and has not come back: an update may have thrown the network off",
        change="Look at the samples; go back to a checkpoint before the jump. Bound the gradient by optim.OWNER.clip, "
        "at a few times its usual value, or lower the learning rate.",
    ),
    Alarm(
        name="chain-not-finite",
        signal="chains with NaN or infinite values",
        meaning="A move led a chain to values, or to an energy, that are not finite",
        change="Lower the learning rate or the step size of the sampler; bound the network by spectral norm.",
    ),
    Alarm(
        name="loss-not-finite",
        signal="losses that are NaN or infinite",
        meaning="A loss is no number any more",
        change="Lower the learning rate, or the weight of that loss; look at its logarithms and divisions if it is "
        "your own.",
    ),
    Alarm(
        name="gradient-not-finite",
        signal="gradient norms that are NaN or infinite",
        meaning="The gradient overflows",
        change="Lower the learning rate; bound the network by spectral norm.",
    ),
)

BY_NAME: Mapping[str, Alarm] = {alarm.name: alarm for alarm in ALARMS}


def advice(name: str) -> str:
    """Returns what a line of the table says is to be changed, and its name."""
    return BY_NAME[name].advice
