"""How training adapts step sizes: pure functions of (tuning, info), apart from every transition.

A transition reads its step from the tuning and returns the tuning unchanged. Whoever trains calls `adapted` after it;
whoever evaluates does not, and takes `for_evaluation` once. The counts are entries of the tuning, so they are saved
with it. No tensor is read by the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import torch
from torch import Tensor

from ebmkit.protocols.sampler import Adaptive, Composite, Sampler, SamplerInfo, Tuning
from ebmkit.samplers.acceptance import trials, trials_by_value
from ebmkit.samplers.declarations.steps import StepConfig
from ebmkit.samplers.warmup import WARMUP


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptBand:
    """Above the band of acceptance rates the step grows, below it shrinks (Zhang et al., 2023).

    Attributes:
        low: lowest acceptance rate that is left alone.
        high: highest one.
        grow: factor above the band.
        shrink: divisor below it.
        every: transitions whose trials are pooled for one adaptation.
        per: coordinate each value of which is adapted by itself; "" for one step size.
    """

    low: float = 0.6
    high: float = 0.8
    grow: float = 1.1
    shrink: float = 1.2
    every: int = 100
    per: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DualAveraging:
    """Drives the acceptance rate to a target by Nesterov's dual averaging (Hoffman, Gelman, 2014, section 3.2).

    Attributes:
        target: δ, the acceptance rate aimed at.
        gamma: γ, pull towards ten times the first step size.
        offset: t₀, steadies the first adaptations.
        decay: κ, how fast the averaged step forgets the first ones.
        every: transitions whose trials are pooled for one adaptation.
        per: coordinate each value of which is adapted by itself; "" for one step size.
    """

    target: float = 0.7
    gamma: float = 0.05
    offset: float = 10.0
    decay: float = 0.75
    every: int = 1
    per: str = ""


Adaptation = AcceptBand | DualAveraging


def adapted(sampler: Sampler, tuning: Tuning, info: SamplerInfo) -> Tuning:
    """Returns a sampler's tuning after it has learnt from one transition, each part of it by its own rule."""
    if isinstance(sampler, Composite):
        pairs = enumerate(zip(sampler.children, info.children, strict=True))
        tuning = {**tuning, **{str(i): adapted(child, tuning.get(str(i), {}), its) for i, (child, its) in pairs}}
    learnt = sampler.adapted(tuning, info) if isinstance(sampler, Adaptive) else tuning
    return {**learnt, WARMUP: (tuning[WARMUP] - 1).clamp(min=0)} if WARMUP in tuning else learnt


def adapt(rule: Adaptation, tuning: Tuning, info: SamplerInfo) -> Tuning:
    """Returns the tuning after one transition: trials pooled, and the step size adapted when `rule.every` are.

    Args:
        rule: how.
        tuning: {"step_size": [] or [n_values], …}; counts are added to it at the first call.
        info: of the transition; its trials count for the coordinate's values at its start.
    """
    accepted, tried = _trials(info, tuning["step_size"], rule.per)
    pooled = {
        "accepted": tuning.get("accepted", 0) + accepted,
        "tried": tuning.get("tried", 0) + tried,
        "transitions": tuning.get("transitions", tried.new_zeros((), dtype=torch.int64)) + 1,
    }
    due = pooled["transitions"] % rule.every == 0
    known = due & (pooled["tried"] > 0)  # a value without trials keeps its step
    rate = pooled["accepted"] / pooled["tried"].clamp(min=1)
    new = accept_band(rule, tuning, rate) if isinstance(rule, AcceptBand) else dual_averaging(rule, tuning, rate)
    old = {name: tuning.get(name, first) for name, first in _first(rule, tuning).items()}
    counts = {name: torch.where(due, torch.zeros_like(pooled[name]), pooled[name]) for name in ("accepted", "tried")}
    return {**{name: torch.where(known, new[name], old[name]) for name in new}, **pooled, **counts}


def accept_band(rule: AcceptBand, tuning: Tuning, rate: Tensor) -> dict[str, Tensor]:
    """Returns the step size grown where the acceptance rate is above the band and shrunk where it is below."""
    factor = 1 + (rule.grow - 1) * (rate > rule.high) - (1 - 1 / rule.shrink) * (rate < rule.low)
    return {"step_size": tuning["step_size"] * factor.to(tuning["step_size"].dtype)}


def dual_averaging(rule: DualAveraging, tuning: Tuning, rate: Tensor) -> dict[str, Tensor]:
    """Returns the step size after one update of dual averaging, with what the next one needs.

    H̄ ← (1 − η)H̄ + η(δ − α) with η = 1/(t + t₀);  log ε = μ − (√t/γ)H̄;  log ε̄ ← t^−κ log ε + (1 − t^−κ) log ε̄.

    Source: Hoffman, Gelman (2014), eq. 6 and algorithm 5; μ = log 10ε₀.
    """
    held = {**_first(rule, tuning), **tuning}
    t = held["updates"] + 1
    weight = 1 / (t + rule.offset)
    error = (1 - weight) * held["error"] + weight * (rule.target - rate)
    log_step = held["log_anchor"] - t.sqrt() / rule.gamma * error
    forget = t**-rule.decay
    return {
        "step_size": log_step.exp().to(tuning["step_size"].dtype),
        "log_anchor": held["log_anchor"],
        "error": error,
        "log_averaged": forget * log_step + (1 - forget) * held["log_averaged"],
        "updates": t,
    }


def for_evaluation(tuning: Tuning) -> Tuning:
    """Returns the tuning for evaluation: no warm-up, and where dual averaging was at work, its averaged step size."""
    parts: dict[str, Any] = {
        name: for_evaluation(value) for name, value in tuning.items() if isinstance(value, Mapping)
    }
    if WARMUP in tuning:
        parts[WARMUP] = torch.zeros_like(tuning[WARMUP])
    if "log_averaged" in tuning:
        parts["step_size"] = tuning["log_averaged"].exp().to(tuning["step_size"].dtype)
    return {**tuning, **parts}


def _trials(info: SamplerInfo, step_size: Tensor, per: str) -> tuple[Tensor, Tensor]:
    """Returns (accepted, tried) proposals, pooled over chains like the step size: [] or [n_values]."""
    counted = trials_by_value(info, info.start.aux[per], len(step_size)) if per else trials(info)
    return counted[0].to(step_size.device), counted[1].to(step_size.device)


def build_adaptation(config: StepConfig, per: str = "") -> Adaptation | None:
    """Returns the rule that a config asks for, None for "off"; each value of coordinate `per` is adapted by itself."""
    low, high = config.accept
    if config.adapt == "band":
        return AcceptBand(low=low, high=high, every=config.adapt_every, per=per)
    if config.adapt == "dual-averaging":
        return DualAveraging(target=(low + high) / 2, every=config.adapt_every, per=per)
    return None


def _first(rule: Adaptation, tuning: Tuning) -> dict[str, Any]:
    if isinstance(rule, AcceptBand):
        return {"step_size": tuning["step_size"]}
    log_step = tuning["step_size"].log()
    return {
        "step_size": tuning["step_size"],
        "log_anchor": log_step + log(10.0),
        "error": torch.zeros_like(log_step),
        "log_averaged": log_step,
        "updates": torch.zeros_like(log_step),
    }
