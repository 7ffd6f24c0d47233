"""Objectives that break one promise each, and a right one beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit import BuildContext, Component, Energy, NoConfig, ObjectiveTraits, Phases, Requires, seeded

HERE = "tests.testing.doubles_of_objectives"


class Objective:
    """The gap of the energies, or what a double makes of it."""

    requires = Requires()
    traits = ObjectiveTraits(contrasts={"loss"})

    def __init__(self, loss: Callable[[Any, Phases, Tensor], Tensor]) -> None:
        self.loss = loss

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        gap = phases.evaluate("positive").mean() - phases.evaluate("negative").mean()
        return {"loss": self.loss(energy, phases, gap)}


def right(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    return gap


def by_row(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    return phases.evaluate("positive") - phases.evaluate("negative")


def detached(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    return gap.detach() + 1


def sampling(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    """It moves chains itself, with a stream of its own."""
    moved = phases.positive.replace(x=phases.positive.x + 0.1 * torch.randn_like(phases.positive.x))
    return gap - energy(moved).mean()


def writing(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    assert phases.negative is not None
    phases.negative.x.data.add_(0.1)
    return gap


def tuning(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    next(energy.parameters()).data.mul_(0.99)
    return gap


def stepping(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    gap.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    return gap


def places(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    """Later rows weigh more."""
    energies = phases.evaluate("positive")
    return gap + (energies * torch.arange(len(energies))).mean()


class Walking(Objective):
    """It has chains of its own, and moves them at each step."""

    chains: Any = None

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        self.chains = phases.positive if self.chains is None else self.chains
        gradient = -phases.evaluate("positive", "score")
        self.chains = self.chains.replace(x=(self.chains.x - 0.1 * gradient).detach())
        return {"loss": phases.evaluate("positive").mean() - energy(self.chains).mean()}


class Guiding(nn.Module):
    """An encoder h of the data, and two losses: the energy is guided by h, and h learns to be near the energy."""

    requires = Requires()

    def __init__(self, leaks: str, context: BuildContext, **traits: Any) -> None:
        super().__init__()
        n = torch.Size(context.event_shape).numel()
        with seeded(context.seed):
            self.encoder = nn.Linear(n, 1)
        self.leaks = leaks
        self.traits = ObjectiveTraits(**traits)

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        found, code = phases.evaluate("positive"), self.encoder(phases.batch.x.flatten(1))[:, 0]
        target = code if self.leaks == "encoder" else code.detach()
        goal = found if self.leaks == "energy" else found.detach()
        return {"guidance": (found * target).mean(), "distance": (code - goal).square().mean()}


def upside_down(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    """Chains become likely."""
    return -gap


def half_detached(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    """The data are looked at, and not learnt from."""
    return phases.evaluate("positive").detach().mean() - phases.evaluate("negative").mean()


def lopsided(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    """Data weigh twice as much as chains."""
    return gap + phases.evaluate("positive").mean()


def _builder(loss: Callable[[Any, Phases, Tensor], Tensor]) -> Callable[[NoConfig, BuildContext], Objective]:
    return lambda config, context: Objective(loss)


build_right, build_by_row, build_detached = _builder(right), _builder(by_row), _builder(detached)
build_sampling, build_writing, build_tuning = _builder(sampling), _builder(writing), _builder(tuning)
build_stepping, build_places = _builder(stepping), _builder(places)
build_upside_down, build_lopsided = _builder(upside_down), _builder(lopsided)
build_half_detached = _builder(half_detached)


def build_walking(config: NoConfig, context: BuildContext) -> Walking:
    return Walking(right)


def _guiding(leaks: str, **traits: Any) -> Callable[[NoConfig, BuildContext], Guiding]:
    return lambda config, context: Guiding(leaks, context, **traits)


build_guiding, build_leaks_into_encoder, build_leaks_into_energy = _guiding(""), _guiding("encoder"), _guiding("energy")
build_says_so = _guiding("encoder", shared={"guidance"})
build_misnamed = _guiding("", contrasts={"gap"})


def part(name: str) -> Component:
    build = f"{HERE}:build_{name.replace('-', '_')}"
    return Component(kind="objective", name=f"{name}-double", build=build, summary="a double")


RIGHT = (part("right"), part("guiding"), part("says-so"))
WRONG: tuple[tuple[Component, str, str], ...] = (
    (part("by-row"), "losses", "objectives return scalars. Take its mean"),
    (part("detached"), "losses", "without a graph, so that it trains nothing"),
    (part("sampling"), "losses", "global random stream"),
    (part("writing"), "losses", "changed a phase in place.*never move chains"),
    (part("tuning"), "losses", "changed parameters.*the optimiser changes parameters"),
    (part("stepping"), "losses", "called backward itself"),
    (part("places"), "order", "in another order. Rows are independent draws"),
    (part("walking"), "repeatable", "keeps something from step to step.*moved by samplers"),
    (part("leaks-into-encoder"), "owners", "'guidance' has a gradient in .* and in its own 'encoder.*detach"),
    (part("leaks-into-energy"), "owners", "'distance' has a gradient in .* of the energy.*leaks into the other"),
    (part("half-detached"), "contrast", "does not lower the energy of the positive phase: it has no gradient"),
    (part("upside-down"), "contrast", "does not lower the energy of the positive phase.*mean E⁺ − mean E⁻"),
    (part("lopsided"), "contrast", "where the chains are the data themselves.*the same weights"),
    (part("misnamed"), "contrast", "names a loss 'gap', and its losses are: distance, guidance"),
)
"""Double, the promise that it breaks, and what the message must say."""
