"""The noise level as a coordinate: declaration and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from ebmkit import Component, Need, Selection, short_repr
from ebmkit_diffusion.objective_declarations import CITE, LEVELS
from ebmkit_diffusion.schedules import SCHEDULES, WITHOUT_ENDS, Betas, ending_in_noise, even, usual_ends, wrong_with

Positive = Annotated[float, Gt(0)]

FINEST, WIDEST = 1e-6, 1e6
"""The s.d. that an even schedule can tell from 0 and from infinity, data units after scaling."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LevelConfig:
    """Noise levels t = 0 … T: x_t ~ N(√ᾱ_t x_0, (1 − ᾱ_t) I), ᾱ_t = Π (1 − β_i), t = 0 clean.

    Attributes:
        noise_levels: T, levels beside the clean one; unset: 50 for images, else 6, as published.
        schedule: of β: "sqrt-cumulative-linear" (published: β_t = (Σ_{i ≤ t} b_i)², b evenly spaced), "linear",
            "cosine"; "log-snr-cosine", from 9.8 to −5.1; "even", levels that overlap equally, and the last is noise.
        low: b_1 (or β_1), the first of the evenly spaced; unset: published at T = 50 and 6, else a hundredth of high.
            Of "even": s.d. of the finest structure in the data, after scaling; unset: smooth, else .1.
        high: b_T (or β_T), the last; unset: published at T = 50 and 6, else such that ᾱ falls to .055 as there.
            Of "even": s.d. of the data, after scaling; unset: 1.
        last_signal: of "even", ᾱ_T: share of a datum's power that the last level holds; 0 is pure noise.
        pure_noise: the last of the T levels holds nothing of the datum, ᾱ_T = 0, so its law is N(0, I); the schedule
            is that of the T − 1 levels before it.
        stratified: levels of a batch are spread evenly over its rows, in random order, not drawn one by one (Kingma et
            al., 2021, appendix I.1). Each row has the same law; sums over a batch have less noise.
        smooth: s.d. of noise that is added to data before they are diffused, data units after scaling to [−1, 1]; 0 as
            published. The model is then one of slightly noisy data: level 0 has room to move where pixels are constant.
        start_mean: m, data units after scaling; fresh chains of level t are N(√ᾱ_t m, (ᾱ_t s² + 1 − ᾱ_t) I).
        start_sd: s, data units after scaling; 0 and 1, as published, are N(0, I) at every level. With those of a base
            "gaussian" fresh chains are in equilibrium when training begins.
    """

    noise_levels: Annotated[int, Ge(1)] | None = None
    schedule: Literal["sqrt-cumulative-linear", "linear", "cosine", "log-snr-cosine", "even"] = "sqrt-cumulative-linear"
    low: Annotated[float, Ge(0)] | None = None
    high: Positive | None = None
    last_signal: Annotated[float, Ge(0), Lt(1)] = 0.0
    pure_noise: bool = False
    stratified: bool = False
    smooth: Annotated[float, Ge(0)] = 0.0
    start_mean: float = 0.0
    start_sd: Positive = 1.0

    def settled(self, selection: Selection) -> LevelConfig:
        """Returns the config with every unset value decided; the ends of a cosine stay unset, it has none."""
        images = selection.event_shape is not None and len(selection.event_shape) == 3
        n = self.noise_levels or (50 if images else 6)
        if self.schedule in WITHOUT_ENDS:
            return replace(self, noise_levels=n)
        low, high = (float(f"{end:.6g}") for end in usual_ends(self.schedule, n - self.pure_noise or 1))
        if self.schedule == "even" and self.smooth:
            low = self.smooth
        return replace(
            self,
            noise_levels=n,
            low=low if self.low is None else self.low,
            high=high if self.high is None else self.high,
        )

    def betas(self) -> Betas:
        """Returns β_0 = 0, β_1 … β_T of a settled config."""
        n = (self.noise_levels or 1) - self.pure_noise
        if self.schedule == "even":
            return even(n, self.low or 0.0, self.high or 1.0, self.last_signal)
        before = SCHEDULES[self.schedule](n, self.low or 0.0, self.high or 1.0) if n else (0.0,)
        return ending_in_noise(before) if self.pure_noise else before


def _level_refused(config: LevelConfig, selection: Selection) -> str:
    if config.schedule in WITHOUT_ENDS and (config.low is not None or config.high is not None):
        return f"a {config.schedule} schedule has no low and high: leave them out."
    if config.schedule == "even" and config.pure_noise:
        return 'schedule = "even" ends in pure noise by itself: leave pure_noise out.'
    if config.schedule != "even" and config.last_signal:
        return 'last_signal is a setting of schedule = "even": the others end where low and high lead.'
    if config.schedule == "even" and config.low is not None and not FINEST <= config.low < 1:
        return (
            f"low of an even schedule is the s.d. of the finest structure, from {FINEST:g} to less than 1; found "
            f"{config.low:g}."
        )
    if config.schedule == "even" and config.high is not None and not FINEST <= config.high <= WIDEST:
        return f"high of an even schedule is the s.d. of the data, {FINEST:g} to {WIDEST:g}; found {config.high:g}."
    wrong = wrong_with(config.betas())
    return f"{wrong}." if wrong else ""


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="coordinate",
        name="level",
        config=LevelConfig,
        build="ebmkit_diffusion.level:build_level",
        summary="noise level: data are diffused to a random level, and chains hold theirs",
        cite=CITE,
        aliases=("noise", "noise-level", "sigma", "diffusion"),
        needs=(LEVELS, Need("moves.level", default="gibbs", config={"coordinate": "level"})),
        gives=("point.noised", "point.discrete"),
        refuse=_level_refused,
        training=("start_mean", "start_sd", "stratified"),
    ),
)
