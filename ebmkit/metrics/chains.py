"""Fresh chains of a run's sampler: how far their draws are independent, and whether they agree with each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Generator, Tensor

from ebmkit.display.doing import doing
from ebmkit.evaluation.uncertainty import standard_error
from ebmkit.metrics.declarations.chains import ChainsConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.metric import Better, Estimate, Measured, Subject
from ebmkit.rng import stream
from ebmkit.samplers.acceptance import acceptance
from ebmkit.sampling.diagnostics import ess_bulk, ess_tail, r_hat
from ebmkit.sampling.model import Model
from ebmkit.sampling.moved import moved
from ebmkit.sampling.named import ready
from ebmkit.sampling.starts import fresh_chains
from ebmkit.sampling.summary import R_HAT_BOUND
from ebmkit.sampling.variants import without_augmentation

FEW_ENTRIES = 8
"""Entries of x up to which each is followed by itself."""
RESAMPLES = 50
PER = 1_000
"""Transitions on which round trips are counted."""

DIAGNOSTICS = {"ESS bulk": ess_bulk, "ESS tail": ess_tail, "R-hat": r_hat}
BETTER: Mapping[str, Better] = {"ESS bulk": "higher", "ESS tail": "higher", "R-hat": "lower"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Traces:
    """What was followed of B chains through D transitions.

    Attributes:
        values: name → [D, B].
        levels: coordinate → [D, B] int64, of those that leave data.
        last: coordinate → its last value.
        accept: [D, B] in [0, 1]; None where the sampler rejects nothing.
        n_gradients: of a transition.
    """

    values: Mapping[str, Tensor]
    levels: Mapping[str, Tensor]
    last: Mapping[str, int]
    accept: Tensor | None
    n_gradients: int


class Chains:
    """Diagnostics of fresh chains; see `ChainsConfig`."""

    def __init__(self, config: ChainsConfig) -> None:
        self.config = config

    def measure(self, subject: Subject) -> Measured:
        """Returns ESS and R-hat of what is followed, acceptance, and round trips of what leaves data.

        Raises:
            CapabilityError: the run has no sampler, or one that only augments.
            DivergenceError: a chain is not finite.
        """
        config, model = self.config, without_augmentation(ready(subject.sampled_model(), {}, subject.seed))
        rng = stream(subject.seed, 0, "metric chains", model.device)
        doing(f"moving {config.n_chains} chains by {config.burn_in + config.transitions} transitions")
        traces = followed(model, config, fresh_chains(model, config.n_chains, rng, {}), rng)
        estimates = {**diagnosed(traces.values, subject.rng("chains")), **_of_moves(traces)}
        draws = config.n_chains * config.transitions
        return Measured(
            estimates=estimates,
            definition=(
                f"{config.n_chains} fresh chains, {config.burn_in} transitions thrown away and {config.transitions} "
                f"kept: {draws:,} draws, {traces.n_gradients} gradients each, T = {model.temperature:g}, nothing "
                "augmented; rank-normalised split R-hat and effective draws of all chains together, as ArviZ defines "
                "them; errors by a bootstrap over chains."
            ),
            notes=_remarks(estimates, draws),
        )


def followed(model: Model, config: ChainsConfig, start: Point, rng: Generator) -> Traces:
    """Returns what is followed of chains from a start."""
    seen, follow = model.view(), _directions(model, config, rng)
    state = model.sampler.init(start, rng, model.tuning)
    away = {c.name: c.n_values - 1 for c in model.coordinates if c.leaves_data and c.n_values}
    kept, levels, rates, gradients = list[Tensor](), list[dict[str, Tensor]](), list[Tensor](), 0
    for i in range(1, config.burn_in + config.transitions + 1):
        state, info = moved(model.sampler, seen, state, i)
        if i <= config.burn_in:
            continue
        gradients = info.n_gradients
        x = model.in_data_range(state.point).flatten(1)
        kept.append(torch.cat([seen.energy(state.point)[:, None], x @ follow.to(x)], dim=1).detach().cpu())
        levels.append({name: state.point.aux[name].cpu() for name in away})
        rates += [] if (rate := acceptance(info)) is None else [rate.cpu()]
    values = torch.stack(kept)
    return Traces(
        values={name: values[..., q] for q, name in enumerate(_names(follow, prod(model.data.event_shape)))},
        levels={name: torch.stack([level[name] for level in levels]) for name in away},
        last=away,
        accept=torch.stack(rates) if rates else None,
        n_gradients=gradients,
    )


def diagnosed(values: Mapping[str, Tensor], rng: Generator) -> dict[str, Estimate]:
    """Returns ESS and R-hat of series [D, B], with their spread over resampled chains, "NAME: DIAGNOSTIC"."""
    series = torch.stack(list(values.values()), dim=-1)
    draws, n_chains = series.shape[:2]
    rows = torch.randint(n_chains, (RESAMPLES, n_chains), generator=rng)
    resampled = series[:, rows].transpose(1, 2)  # [D, B, resamples, Q]: each one a quantity of its own
    found = {}
    for diagnostic, f in DIAGNOSTICS.items():
        here, spread = f(series), f(resampled).std(dim=0)
        for q, name in enumerate(values):
            error = float(spread[q])
            found[f"{name}: {diagnostic}"] = Estimate(
                value=float(here[q]), error=error if error == error else None, n=draws * n_chains,
                better=BETTER[diagnostic],
            )  # fmt: skip
    names = [f"{name}: {diagnostic}" for name in values for diagnostic in DIAGNOSTICS]
    return {name: found[name] for name in names}


def round_trips(levels: Tensor, last: int) -> Tensor:
    """Returns how often each chain [B] went from 0 to the last value and back to 0, of values [D, B]."""
    trips, is_back = torch.zeros(levels.shape[1]), torch.zeros(levels.shape[1], dtype=torch.bool)
    began = torch.zeros_like(is_back)
    for level in levels:
        trips += (level == 0) & is_back
        began |= level == 0
        is_back = (is_back & (level != 0)) | (began & (level == last))
    return trips


def _of_moves(traces: Traces) -> dict[str, Estimate]:
    found = {}
    if traces.accept is not None:
        rates = traces.accept.mean(dim=0)
        found["acceptance"] = Estimate(value=float(rates.mean()), error=standard_error(rates), n=traces.accept.numel())
    for name, levels in traces.levels.items():
        trips = round_trips(levels, traces.last[name]) * PER / len(levels)
        found[f"round trips of {name} in {PER:,} transitions"] = Estimate(
            value=float(trips.mean()), error=standard_error(trips), n=len(trips), better="higher"
        )
    return found


def _directions(model: Model, config: ChainsConfig, rng: Generator) -> Tensor:
    """Returns what is followed of flattened x, [d, Q]: each entry of a small x, else its mean and random directions."""
    d = prod(model.data.event_shape)
    if d <= FEW_ENTRIES:
        return torch.eye(d)
    random = torch.randn(d, config.projections, generator=rng, device=rng.device).cpu()
    return torch.cat([torch.full((d, 1), 1 / d), random / random.norm(dim=0)], dim=1)


def _names(follow: Tensor, d: int) -> list[str]:
    if d <= FEW_ENTRIES:
        return ["energy", *(f"x[{i}]" for i in range(d))]
    return ["energy", "mean of x", *(f"direction {i + 1}" for i in range(follow.shape[1] - 1))]


def _remarks(estimates: Mapping[str, Estimate], draws: int) -> tuple[str, ...]:
    worst = max((e.value for key, e in estimates.items() if key.endswith("R-hat")), default=1.0)
    if worst != worst or worst > R_HAT_BOUND:
        return (
            f"R-hat is up to {worst:.2f}, above {R_HAT_BOUND}: the chains do not agree yet, and their draws are no "
            "sample of one law. Effective sizes then say how slowly they move, no more. Ask for a longer burn_in.",
        )
    return ()


def build_chains(config: ChainsConfig, context: BuildContext) -> Chains:
    """Builds the metric."""
    return Chains(config)
