"""Whether objectives return losses that can be minimised, and touch nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ebmkit.errors import PluginError
from ebmkit.protocols.objective import Objective, Phases
from ebmkit.training.checker.snapshots import changed, kept, listed, modes, of_batch, of_point
from ebmkit.training.checker.streams import own_stream_only
from ebmkit.training.parts import Parts

ADVICE = 'Draw from a stream of the step: generator=phases.rng("NAME").'


def check_objectives(parts: Parts, live: Parts, phases: Phases) -> None:
    """Raises PluginError where an objective breaks its promise.

    Args:
        parts: copies of those of the run.
        live: those of the run, to which a function that was copied may still refer.
        phases: made with the copies.
    """
    owners: dict[str, list[nn.Parameter]] = {}
    for name, module in (*parts.owners().items(), *live.owners().items()):
        owners.setdefault(name, []).extend(p for p in module.parameters() if p.requires_grad)
    for name, objective in parts.objectives.items():
        label = f"Objective '{name}'"
        losses = _asked(label, name, objective, parts, phases)
        for key, loss in losses.items():
            _check_loss(label, key, loss, phases)
        _check_gradients(label, name, losses, owners)


def _asked(label: str, name: str, objective: Objective, parts: Parts, phases: Phases) -> Mapping[str, Tensor]:
    """Returns the losses; raises PluginError where more was done than to compute them."""
    shown, held, rows = kept(_shown(phases)), kept(_parameters(parts)), kept(_rows(parts))
    before = [modes(module) for module in parts.owners().values()]
    graded = _with_gradient(parts)
    with own_stream_only(label, ADVICE), torch.autocast(parts.device.type, torch.bfloat16, enabled=parts.autocast):
        losses: object = objective.losses(parts.energy, phases.seen_by(name))
    if changed(shown, _shown(phases)):
        what = listed(changed(shown, _shown(phases)))
        raise PluginError(f"{label} changed a phase in place ({what}). Objectives never move chains: work on a copy.")
    if changed(held, _parameters(parts)):
        what = listed(changed(held, _parameters(parts)))
        raise PluginError(f"{label} changed parameters ({what}). It returns losses: the optimiser changes parameters.")
    if [modes(module) for module in parts.owners().values()] != before:
        raise PluginError(
            f"{label} changed the mode of a module, or which parameters require a gradient. Leave both as they were."
        )
    if _with_gradient(parts) != graded:
        raise PluginError(f"{label} called backward itself, so that its gradient counts twice. Return the loss alone.")
    if changed(rows, _rows(parts)):
        raise PluginError(f"{label} changed rows of the buffer. It scores chains: samplers move them.")
    if not isinstance(losses, Mapping):
        raise PluginError(f'{label} returned {type(losses).__name__}. It returns named losses, {{"loss": …}}.')
    return losses


def _with_gradient(parts: Parts) -> int:
    """Returns how many parameters hold a gradient."""
    return sum(p.grad is not None for module in parts.owners().values() for p in module.parameters())


def _check_loss(label: str, key: str, loss: object, phases: Phases) -> None:
    if not isinstance(loss, Tensor):
        raise PluginError(f"{label} returned loss '{key}' as {type(loss).__name__}. A loss is a scalar tensor.")
    if loss.ndim:
        raise PluginError(
            f"{label} returned loss '{key}' of shape {tuple(loss.shape)}: objectives return scalars. Take its mean."
        )
    if not loss.is_floating_point():
        raise PluginError(f"{label} returned loss '{key}' in {loss.dtype}. A loss is a real number.")
    if not bool(torch.isfinite(loss)):
        if _energies_are_finite(phases):
            raise PluginError(
                f"{label} returned loss '{key}' = {float(loss.detach()):g}, though the energies of both phases are "
                "finite. Look for a logarithm, a root or a quotient in it."
            )
        return
    if not loss.requires_grad and bool(loss != 0):  # a loss that is off for now is a constant 0
        raise PluginError(
            f"{label} returned loss '{key}' = {float(loss):.4g} without a graph, so that it trains nothing. Leave out "
            "detach(), item() and no_grad() on its way; a loss that is off for now is 0."
        )


def _energies_are_finite(phases: Phases) -> bool:
    found = [phases.evaluated("positive"), phases.evaluated("negative"), phases.evaluated("tail")]
    return all(bool(torch.isfinite(energies).all()) for energies in found if energies is not None)


def _check_gradients(
    label: str, name: str, losses: Mapping[str, Tensor], owners: Mapping[str, list[nn.Parameter]]
) -> None:
    """Looks whom the losses move: the energy or the objective's own parameters, and nobody else."""
    total = [loss for loss in losses.values() if loss.requires_grad]
    own = {id(p) for key in ("energy", name) for p in owners.get(key, [])}
    targets = {id(p): (key, p) for key, held in owners.items() for p in held}
    if not total or not targets:
        return
    found = torch.autograd.grad(
        torch.stack([loss.float() for loss in total]).sum(), [p for _, p in targets.values()],
        retain_graph=True, allow_unused=True,
    )  # fmt: skip
    foreign = [
        key
        for (place, (key, _)), gradient in zip(targets.items(), found, strict=True)
        if place not in own and gradient is not None and bool((gradient != 0).any())
    ]
    if foreign:
        raise PluginError(
            f"{label} has a gradient in parameters of objective '{foreign[0]}'. Each objective trains the energy and "
            "its own parameters: detach what comes from another."
        )
    if own and all(gradient is None for gradient in found):
        raise PluginError(
            f"{label} has losses with a graph that reaches no parameter, neither of the energy nor of its own. Score "
            "the energy that it is handed, and register its own networks as submodules of an nn.Module."
        )


def _shown(phases: Phases) -> dict[str, Tensor]:
    points = {
        "positive": phases.positive,
        "negative": phases.negative,
        "tail": phases.tail,
        "reference": phases.reference,
    }
    named = {f"batch.{name}": tensor for name, tensor in of_batch(phases.batch).items()}
    for name, point in points.items():
        named.update({} if point is None else of_point(point, f"{name}."))
    return named


def _parameters(parts: Parts) -> dict[str, Tensor]:
    return {f"{key}.{name}": p for key, module in parts.owners().items() for name, p in module.named_parameters()}


def _rows(parts: Parts) -> dict[str, Tensor]:
    return {} if parts.buffer is None else dict(parts.buffer.state_dict())
