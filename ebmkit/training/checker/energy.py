"""Whether an energy gives one number a row, from that row alone, and the same again when it is asked again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ebmkit.errors import CapabilityError, EbmkitError, PluginError
from ebmkit.ops.gradients import energy_and_gradient, leaf
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy
from ebmkit.training.checker.snapshots import alike, changed, kept, listed, of_module, of_point
from ebmkit.training.checker.streams import own_stream_only

ADVICE = "An energy has no random draws: put them into a coordinate or a sampler."
MODE = (
    "The chains see the energy in evaluation mode: leave such layers out, or put them in evaluation mode with "
    "module.eval()."
)


def check_energy(label: str, energy: Energy, point: Point, *, differentiated: int, fresh: bool = True) -> None:
    """Raises PluginError or CapabilityError where an energy breaks its promise at a few rows.

    Args:
        label: what messages call it.
        energy: in the mode in which it is trained.
        point: b rows.
        differentiated: how often the run differentiates it in a row: in x, and the last time in its parameters.
        fresh: nothing has been trained yet, so that a value that is not finite is the energy's own doing.
    """
    state = kept(of_module(energy))
    with own_stream_only(label, ADVICE):
        check_answer(label, energy, point, fresh)
        check_repeats(label, energy, point)
    check_rows(label, energy, point)
    check_mode(label, energy, point)
    moved = changed(state, of_module(energy))
    if moved:
        raise PluginError(
            f"{label} changed its own {listed(moved)} when it was asked for energies. Change state in an update alone: "
            "leave running statistics out."
        )
    check_derivatives(label, energy, point, differentiated, fresh)


def _ask(energy: Energy, point: Point) -> Tensor:
    return energy(point).detach()


def check_answer(label: str, energy: Energy, point: Point, fresh: bool) -> None:
    """Raises PluginError where an energy is not one finite number a row, or writes into the point."""
    before = kept(of_point(point))
    answer: object = energy(point)
    written = changed(before, of_point(point))
    if written:
        raise PluginError(f"{label} wrote into {listed(written)} of the point that it was asked at. Work on a copy.")
    if not isinstance(answer, Tensor):
        raise PluginError(f"{label} returned {type(answer).__name__}. An energy returns one tensor [B].")
    if answer.shape != (len(point),):
        raise PluginError(
            f"{label} returned shape {tuple(answer.shape)} for {len(point)} rows. An energy is one number a row, [B]: "
            "a last axis of length 1 goes with .squeeze(1)."
        )
    if answer.dtype not in (torch.float32, torch.float64):
        raise PluginError(
            f"{label} returned {answer.dtype}. Differences of energies need the digits of float32: return "
            "energy.float()."
        )
    if fresh and not bool(torch.isfinite(answer).all()):
        raise PluginError(
            f"{label} is not finite at data that are: found {answer[~torch.isfinite(answer)][0].item()}. Look for a "
            "logarithm, root or quotient that can leave its domain, and at the scale of the first weights."
        )


def check_repeats(label: str, energy: Energy, point: Point) -> None:
    """Asks twice: both phases, and the chains, must see one energy."""
    first, again = _ask(energy, point), _ask(energy, point)
    if not alike(first, again, _tolerance(point)):
        raise PluginError(
            f"{label} gave two answers at the same point{_because(energy, (nn.modules.dropout._DropoutNd,))}. Positive "
            "and negative phase would be compared by different energies. " + MODE
        )


def check_rows(label: str, energy: Energy, point: Point) -> None:
    """Looks whether a row's energy knows of the other rows: by the gradient in them, and by changing them."""
    n, half = len(point), len(point) // 2
    if n < 2:
        return
    start = leaf(point)
    with torch.enable_grad():
        answer = energy(start)
        if answer.requires_grad:
            for asked, others in ((slice(half), slice(half, n)), (slice(half, n), slice(half))):
                (gradient,) = torch.autograd.grad(answer[asked].sum(), start.x, retain_graph=True, allow_unused=True)
                if gradient is not None and bool((gradient[others].abs() > 0).any()):
                    raise _dependent(label, energy)
    others_first = point.map(lambda t: torch.cat([t[:half], t[:half], t[: n - 2 * half]]))
    others_last = point.map(lambda t: torch.cat([t[n - half :], t[half:]]))
    answer = _ask(energy, point)
    alike_first = alike(answer[:half], _ask(energy, others_first)[:half], _tolerance(point))
    alike_last = alike(answer[half:], _ask(energy, others_last)[half:], _tolerance(point))
    if not (alike_first and alike_last):
        raise _dependent(label, energy)


def _dependent(label: str, energy: Energy) -> PluginError:
    batch_norm = (nn.modules.batchnorm._BatchNorm,)
    return PluginError(
        f"{label} gives a row an energy that depends on the other rows of the batch{_because(energy, batch_norm)}. "
        "p(x) is a law of one datum: use GroupNorm or LayerNorm, and no means over rows. " + MODE
    )


def check_mode(label: str, energy: Energy, point: Point) -> None:
    """Looks whether training mode changes the answer: chains are moved by the energy in evaluation mode."""
    if not isinstance(energy, nn.Module) or not energy.training:
        return
    trained = _ask(energy, point)
    modes = [(module, module.training) for module in energy.modules()]
    try:
        evaluated: Tensor = energy.eval()(point).detach()
    finally:
        for module, training in modes:
            module.training = training
    if not alike(trained, evaluated, 10 * _tolerance(point)):
        raise PluginError(f"{label} gives other energies in training mode than in evaluation mode. {MODE}")


def check_derivatives(label: str, energy: Energy, point: Point, times: int, fresh: bool) -> None:
    """Raises where an energy cannot be differentiated so often in a row, or has no finite gradient."""
    if times < 1 or not point.x.is_floating_point():
        if fresh:
            _check_trainable(label, energy, point)
        return
    start = leaf(point)
    before = kept(of_point(start))
    try:
        _, gradient = energy_and_gradient(energy, start, graph=times > 1)
        first = gradient.detach()
        for _ in range(times - 2):
            if not gradient.requires_grad:
                break
            (gradient,) = torch.autograd.grad(
                gradient.square().sum(), start.x, create_graph=True, materialize_grads=True
            )
        _last_derivative(energy, gradient, start.x)
    except EbmkitError as error:
        raise CapabilityError(f"{label} cannot move chains, nor be scored. {error}") from error
    except RuntimeError as error:
        raise CapabilityError(
            f"{label} is differentiated {times} times in a row here, and cannot be: {str(error).splitlines()[0]}. "
            "Compute it with differentiable operations of torch, or say in `n_derivatives` how often it can be."
        ) from error
    if fresh and not bool(torch.isfinite(first).all()):
        raise PluginError(
            f"{label} has a gradient in x that is not finite at data, where its value is. Look for a root or a norm at "
            "0, and for torch.where around a branch that is not finite."
        )
    if fresh and not bool(first.any()) and _learns_nothing(energy, point):
        raise PluginError(
            f"{label} has a gradient of exactly 0, in x and in each of its parameters: no chain feels it, and it "
            "learns nothing. Look for sign, round, a comparison, a clamp that is always met, or a factor of 0."
        )
    if changed(before, of_point(start)):
        raise PluginError(f"{label} wrote into the point that it was differentiated at. Work on a copy.")


def _check_trainable(label: str, energy: Energy, point: Point) -> None:
    """Raises where energies that nothing differentiates in x have no graph of the parameters that are to learn."""
    held = [p for p in energy.parameters() if p.requires_grad] if isinstance(energy, nn.Module) else []
    with torch.enable_grad():
        if held and not energy(point).requires_grad:
            raise PluginError(
                f"{label} has no gradient in any of its parameters: it would learn nothing. Look for torch.no_grad, "
                "torch.inference_mode, detach, or a function that is not of torch."
            )


def _learns_nothing(energy: Energy, point: Point) -> bool:
    """Whether no parameter has an influence on differences of the energies of the rows."""
    held = [p for p in energy.parameters() if p.requires_grad] if isinstance(energy, nn.Module) else []
    if not held or len(point) < 2:
        return False
    with torch.enable_grad():
        answer = energy(point)
    if not answer.requires_grad:
        return False  # said elsewhere
    weights = torch.linspace(-1, 1, len(point), device=answer.device, dtype=answer.dtype)
    found = torch.autograd.grad(answer @ weights, held, retain_graph=True, allow_unused=True)
    return all(gradient is None or not bool(gradient.any()) for gradient in found)


def _last_derivative(energy: Energy, gradient: Tensor, x: Tensor) -> None:
    """Goes backward through a gradient, as the backward pass of a loss of it does: to the parameters and to x."""
    if gradient.requires_grad:
        if _has_dead_end(gradient):
            raise RuntimeError("a function of it is marked with @once_differentiable")
        held = [p for p in energy.parameters() if p.requires_grad] if isinstance(energy, nn.Module) else []
        torch.autograd.grad(gradient.square().sum(), [x, *held], retain_graph=True, allow_unused=True)


def _has_dead_end(value: Tensor) -> bool:
    """Whether the graph of a value holds a node that refuses to be differentiated, where torch raises on arrival."""
    left, seen = [value.grad_fn], set()
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "torch::autograd::Error":
            return True
        left.extend(child for child, _ in node.next_functions)
    return False


def _tolerance(point: Point) -> float:
    return 1e-4 if point.x.device.type == "cpu" else 1e-2


def _because(energy: Energy, kinds: tuple[type, ...]) -> str:
    """Returns which layers of these kinds are in training mode, for a message."""
    modules = list(energy.named_modules()) if isinstance(energy, nn.Module) else []
    found = [f"{type(m).__name__} '{name}'" for name, m in modules if m.training and isinstance(m, kinds)]
    return f" (its {found[0]})" if found else ""
