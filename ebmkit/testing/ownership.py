"""Whom the losses of an objective train, and what those that compare the phases do."""

from __future__ import annotations

from collections.abc import Mapping, Set

import torch
from torch import Tensor, nn

from ebmkit.point import Batch
from ebmkit.protocols.traits import objective_traits
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import seeded
from ebmkit.testing.scored import losses_of, made, phases_of, shown
from ebmkit.training.parts import Parts

NUDGE = 0.05
"""Of every parameter, so that a layer of zeros hides no gradient."""


def trains_its_own(part: Examined) -> None:
    """Raises CheckFailed where a loss has a gradient in the energy's and in its own parameters, and does not say so."""
    parts, batch = made(part)
    name = part.component.name
    objective, energy = parts.objectives[name], parts.energy
    if not isinstance(objective, nn.Module) or not list(objective.parameters()):
        raise NotApplicable("it owns no parameters")
    if not isinstance(energy, nn.Module):
        raise NotApplicable("the energy owns no parameters")
    for module in (energy, objective):
        _nudge(module)
    shared = objective_traits(objective).shared
    losses = losses_of(parts, phases_of(parts, batch), name)
    _known(part, "shared", shared, losses)
    for key, loss in losses.items():
        theirs, own = _moved(loss, energy), _moved(loss, objective)
        if theirs and own and key not in shared:
            raise CheckFailed(
                f"loss '{key}' has a gradient in '{theirs}' of the energy and in its own '{own}': what one of them "
                "learns leaks into the other. Take what is only to be looked at without a graph, in torch.no_grad() or "
                f"by detach(). Where both are to learn, say so: traits = ObjectiveTraits(shared={{'{key}'}})."
            )


def _nudge(module: nn.Module) -> None:
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.add_(NUDGE * torch.randn(parameter.shape, generator=seeded(i)))


def _moved(loss: Tensor, module: nn.Module) -> str:
    """Returns the name of a parameter that a loss has a gradient in, "" where it has none."""
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not loss.requires_grad or not named:
        return ""
    found = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
    moved = (name for name, g in zip(named, found, strict=True) if g is not None and bool((g != 0).any()))
    return next(moved, "")


def contrasts_the_phases(part: Examined) -> None:
    """Raises CheckFailed where a loss that compares the phases has a wrong sign, or is not 0 between equals."""
    parts, batch = made(part)
    name = part.component.name
    contrasts = objective_traits(parts.objectives[name]).contrasts
    if not contrasts:
        raise NotApplicable("it says of no loss that it compares the phases (ObjectiveTraits.contrasts)")
    _pulls_both_ways(part, parts, batch, contrasts)
    phases = phases_of(parts, batch)
    alike = shown(parts, phases, negative=phases.positive.map(lambda t: t.detach().clone()))
    losses = losses_of(parts, alike, name)
    scale = float(alike.evaluate("positive").detach().abs().max()) + 1
    for key in sorted(contrasts):
        if not float(losses[key].detach().abs()) < 1e-4 * scale:
            raise CheckFailed(
                f"loss '{key}' is {float(losses[key].detach()):.5g} where the chains are the data themselves. It is "
                "said to compare the phases, and there is nothing between them: take means over both, with the same "
                "weights, or leave it out of ObjectiveTraits.contrasts."
            )


def _pulls_both_ways(part: Examined, parts: Parts, batch: Batch, contrasts: Set[str]) -> None:
    """Raises CheckFailed where a contrast does not fall with the energies of the data and rise with the chains'."""
    phases = phases_of(parts, batch)
    losses = losses_of(parts, phases, part.component.name)
    _known(part, "contrasts", contrasts, losses)
    for key in sorted(contrasts):
        for phase, sign, word in (("positive", 1, "lower"), ("negative", -1, "raise")):
            energies = phases.evaluated(phase)
            if energies is None or not losses[key].requires_grad:
                continue
            (pull,) = torch.autograd.grad(losses[key], energies, retain_graph=True, allow_unused=True)
            if pull is None:
                raise CheckFailed(
                    f"loss '{key}' does not {word} the energy of the {phase} phase: it has no gradient in that energy. "
                    "Leave out detach(), item() and no_grad(), or take it out of ObjectiveTraits.contrasts."
                )
            if bool((sign * pull < 0).any()):
                raise CheckFailed(
                    f"loss '{key}' does not {word} the energy of the {phase} phase: its derivative by that energy has "
                    "the wrong sign. Data are to become likely: mean E⁺ − mean E⁻, to be minimised."
                )


def _known(part: Examined, field: str, named: Set[str], losses: Mapping[str, Tensor]) -> None:
    for name in sorted(set(named) - set(losses)):
        raise CheckFailed(
            f"ObjectiveTraits.{field} names a loss '{name}', and its losses are: {', '.join(sorted(losses))}. "
            "Name one of them."
        )
