"""What `make objectives` compares: targets, and objectives with their settings. One entry of ROWS is one line.

A line whose parts are not installed is skipped. Tried settings are at most three for each objective, on the rings and
on the mixture in 16 dimensions, each once: `python docs/objectives_measured.py --tune`; what they found stays in
docs/objectives.json, under "tried".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

from objectives_targets import CHAINS, MIXTURE, NETWORKS, PLANE, SMALLER, TARGETS, TRAINING, Settings, Target

__all__ = ["MIXTURE", "NOT_HERE", "PLANE", "ROWS", "TARGETS", "Row", "Settings", "Target", "settings_of"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """An objective as it is trained.

    Attributes:
        title: as readers see it.
        objective: names joined by "+".
        parts: of other kinds, kind → name.
        settings: dotted name → value, everywhere.
        plane: in the plane alone.
        mixture: on the mixtures alone.
        tried: what was tried instead, plane first; None where there was nothing to try.
        plane_took: number of the tried settings with the least KL(data ‖ model) on the rings, from 1; 0 for its own.
        mixture_took: that whose weights of modes are nearest on the mixture in 16 dimensions.
        only: "plane" or "mixture", where it makes sense on these alone.
    """

    title: str
    objective: str
    parts: Mapping[str, str] = field(default_factory=dict)
    settings: Settings = field(default_factory=dict)
    plane: Settings = field(default_factory=dict)
    mixture: Settings = field(default_factory=dict)
    tried: tuple[Settings, ...] = ()
    plane_took: int = 0
    mixture_took: int = 0
    only: str = ""

    def names(self) -> set[str]:
        """Returns the parts that must be installed."""
        return {*self.objective.split("+"), *self.parts.values()}

    @property
    def wrapper(self) -> str:
        """What makes its energy of the network: each row has a Gaussian to start from."""
        return self.parts.get("wrapper", "gaussian-base")

    def took(self, kind: str) -> Settings:
        """Returns the settings that were tried and were best on a kind of target; nothing where the row's own were."""
        number = self.plane_took if kind == PLANE else self.mixture_took
        return self.tried[number - 1] if number else {}


LEVEL = {"coordinate": "level", "wrapper": "level-head"}
LEVELS_PLANE = {"coordinate.level.noise_levels": 6, "coordinate.level.low": 0.01, "coordinate.level.high": 0.3}
LEVELS_MIXTURE = {
    "coordinate.level.noise_levels": 32,
    "coordinate.level.schedule": "even",
    "coordinate.level.low": 0.05,
    "coordinate.level.high": 1.0,
}
"""Levels that overlap equally, from the s.d. of a mode to that of the data."""
HEAD = {"wrapper.level-head.embedding": 32, "wrapper.level-head.base": "gaussian"}
BASES = {"level-head": "base_sd", "recovery": "base_sd", "gaussian-base": "sd"}
"""Wrappers and the setting of their Gaussian base, which has the s.d. of the target in every row."""

LADDER = {"parts": LEVEL, "settings": HEAD, "plane": LEVELS_PLANE, "mixture": LEVELS_MIXTURE}


def ladder(title: str, objective: str, **more: object) -> Row:
    """Returns an objective over noise levels."""
    return Row(title=title, objective=objective, **{**LADDER, **more})  # type: ignore[arg-type]


ROWS: Mapping[str, Row] = {
    "cd-sgld": Row(
        title="CD, persistent, SGLD, ‖E‖²",
        objective="cd+energy-l2",
        parts={"sampler": "sgld", "buffer": "replay"},
        settings={**CHAINS, "sampler.sgld.moves": 20},
        plane={"sampler.sgld.step_size": 0.005},
        mixture={"sampler.sgld.step_size": 0.0005},
        tried=({"optim.energy.lr": 5e-4}, {"sampler.sgld.step_size": 0.002}),
        plane_took=1,
        mixture_took=2,
    ),
    "cd-mala": Row(
        title="CD, persistent, MALA, ‖E‖²",
        objective="cd+energy-l2",
        parts={"sampler": "mala", "buffer": "replay"},
        settings={**CHAINS, "sampler.mala.moves": 20},
        tried=({"optim.energy.lr": 5e-4}, {"sampler.mala.moves": 60}),
        plane_took=1,
        mixture_took=2,
    ),
    "cd-k": Row(
        title="CD-20, chains begin at data",
        objective="cd",
        parts={"sampler": "mala", "buffer": "data"},
        settings={key: value for key, value in CHAINS.items() if not key.startswith("buffer")}
        | {"sampler.mala.moves": 20},
        tried=({"optim.energy.lr": 1e-3}, {"sampler.mala.moves": 60}),
        plane_took=1,
        mixture_took=2,
    ),
    "improved-cd": Row(
        title="improved CD, ‖E‖²",
        objective="improved-cd+energy-l2",
        parts={"sampler": "sgld", "buffer": "replay"},
        settings={**CHAINS, "sampler.sgld.moves": 20},
        plane={"sampler.sgld.step_size": 0.005},
        mixture={"sampler.sgld.step_size": 0.0005},
        tried=({"optim.energy.lr": 5e-4}, {"objective.improved-cd.w_kl": 0.3}),
        plane_took=2,
    ),
    "dsm": Row(
        title="denoising score matching, one scale",
        objective="denoising-score-matching",
        plane={"objective.denoising-score-matching.sigma": 0.1},
        mixture={"objective.denoising-score-matching.sigma": 0.05},
        tried=(
            {"objective.denoising-score-matching.sigma": 0.05},
            {"objective.denoising-score-matching.sigma": 0.3},
        ),
    ),
    "dsm-levels": ladder("denoising score matching, all levels", "denoising-score-matching"),
    "ssm": Row(
        title="sliced score matching",
        objective="sliced-score-matching",
        tried=({"optim.energy.lr": 5e-4}, {"objective.sliced-score-matching.projections": 4}),
        mixture_took=2,
    ),
    "exact-sm": Row(
        title="exact score matching",
        objective="sliced-score-matching",
        settings={"objective.sliced-score-matching.projections": 0},
        only=PLANE,
    ),
    "nce": Row(
        title="noise-contrastive, Gaussian noise",
        objective="noise-contrastive",
        tried=({"objective.noise-contrastive.ratio": 4}, {"objective.noise-contrastive.widen": 1.5}),
        plane_took=2,
    ),
    "nce-kde": Row(
        title="noise-contrastive, KDE noise",
        objective="noise-contrastive",
        settings={"objective.noise-contrastive.noise": "kde"},
        tried=(
            {"objective.noise-contrastive.bandwidth": 0.3},
            {"objective.noise-contrastive.bandwidth": 1.0},
        ),
        plane_took=2,
    ),
    "cnce": Row(
        title="conditional noise-contrastive",
        objective="conditional-noise-contrastive",
        settings={"objective.conditional-noise-contrastive.sigma": 0.5},
        tried=(
            {"objective.conditional-noise-contrastive.sigma": 0.2},
            {"objective.conditional-noise-contrastive.sigma": 1.5},
        ),
        plane_took=2,
    ),
    "energy-discrepancy": Row(
        title="energy discrepancy",
        objective="energy-discrepancy",
        settings={
            "run.batch_size": 500,
            "run.ema_half_life": 75_000.0,
            "objective.energy-discrepancy.sigma": 1.0,
            "objective.energy-discrepancy.n_perturbed": 16,
        },
        mixture={"run.batch_size": 125, "run.ema_half_life": 18_750.0},
        tried=({"objective.energy-discrepancy.sigma": 0.5}, {"objective.energy-discrepancy.n_perturbed": 4}),
        plane_took=2,
        mixture_took=2,
    ),
    "level-classification": ladder("level classification alone", "level-classification"),
    "classification-dsm": ladder("level classification + DSM", "level-classification+denoising-score-matching"),
    "info-nce": ladder(
        "InfoNCE, among 3 near levels",
        "level-classification",
        settings={**HEAD, "objective.level-classification.window": 3},
    ),
    "info-nce-dsm": ladder(
        "InfoNCE, among 3 near levels, + DSM",
        "level-classification+denoising-score-matching",
        settings={**HEAD, "objective.level-classification.window": 3},
    ),
    "mgms": ladder(
        "diffusion-assisted CD (mgms)",
        "cd-levels",
        parts={**LEVEL, "sampler": "mgms", "buffer": "replay"},
        settings={**CHAINS, **HEAD, "buffer.reinit": 0.0, "sampler.mgms.moves": 10, "sampler.mgms.adapt_every": 10},
        tried=({"optim.energy.lr": 1e-3}, {"sampler.mgms.moves": 4}),
        plane_took=1,
    ),
    "recovery": Row(
        title="diffusion recovery likelihood",
        objective="diffusion-recovery",
        parts={"coordinate": "recovery-level", "wrapper": "recovery", "sampler": "mala"},
        settings={
            "coordinate.recovery-level.spacing": "even",
            "run.batch_size": 200,
            "run.ema_half_life": 30_000.0,
            "optim.energy.lr": 1e-4,
            "optim.energy.betas": [0.0, 0.999],
            "optim.energy.clip": 10.0,
            "wrapper.recovery.conditioning": 32,
            "wrapper.recovery.base": "gaussian",
            "sampler.mala.moves": 20,
            "sampler.mala.step_size": 0.2,
        },
        tried=({"optim.energy.lr": 5e-4}, {"sampler.mala.moves": 5}),
        plane_took=1,
    ),
}

NOT_HERE = {
    "clel": "its encoder learns from two augmented views of a picture; points of the plane have none.",
    "jem": "it learns from labels, which would tell it the modes that the others have to find.",
}
"""Objectives without a line, and why."""


def settings_of(row: Row, target: Target) -> dict[str, object]:
    """Returns every setting of a cell, dotted name → value."""
    is_plane = target.kind == PLANE
    found = {**NETWORKS[target.kind], **TRAINING, **({} if is_plane else SMALLER), **row.settings}
    found |= row.plane if is_plane else row.mixture
    if not is_plane:  # waves that turn by .6 rad across a mode, in any number of dimensions
        found["energy.frequency_sd"] = 12 / sqrt(int(str(target.data["dimensions"])))
    wrapper = row.wrapper
    found[f"wrapper.{wrapper}.{BASES[wrapper]}"] = target.sd
    return found | {f"data.{name}": value for name, value in target.data.items()}
