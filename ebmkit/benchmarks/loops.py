"""Bare gradient loops, as somebody would write them by hand: nothing but ∇E and the arithmetic of the move."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

Function = Callable[[Tensor], Tensor]
Bounds = tuple[float, float] | None


def value_and_gradient(energy: Function, x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns E [B], nats, and ∇E [B, *event], nats per data unit."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        value = energy(leaf)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


def langevin(
    energy: Function, x: Tensor, rng: Generator, *, moves: int, step_size: float, noise: float, bounds: Bounds = None
) -> Tensor:
    """Makes K moves x ← clamp(x − η∇E + σξ) at K gradients."""
    for _ in range(moves):
        _, gradient = value_and_gradient(energy, x)
        x = x - step_size * gradient + noise * torch.randn(x.shape, generator=rng, device=x.device)
        x = x if bounds is None else x.clamp(*bounds)
    return x


def mala(energy: Function, x: Tensor, rng: Generator, *, moves: int, step_size: float, bounds: Bounds = None) -> Tensor:
    """Makes K adjusted moves at K + 1 gradients."""
    value, gradient = value_and_gradient(energy, x)
    for _ in range(moves):
        xi = torch.randn(x.shape, generator=rng, device=x.device)
        new = x - step_size**2 / 2 * gradient + step_size * xi
        new_value, new_gradient = value_and_gradient(energy, new)
        pull = step_size / 2 * (gradient + new_gradient)
        log_ratio = value - new_value + (pull * (xi - pull / 2)).flatten(1).sum(1)
        x, value, gradient = _accepted(log_ratio, rng, bounds, (new, new_value, new_gradient), (x, value, gradient))
    return x


def hmc(
    energy: Function, x: Tensor, rng: Generator, *, moves: int, step_size: float, n_leapfrog: int, bounds: Bounds = None
) -> Tensor:
    """Makes K proposals of L leapfrog steps at K·L + 1 gradients."""
    value, gradient = value_and_gradient(energy, x)
    for _ in range(moves):
        p = torch.randn(x.shape, generator=rng, device=x.device)
        new, new_p, new_gradient, new_value = x, p - step_size / 2 * gradient, gradient, value
        for i in range(n_leapfrog):
            new = new + step_size * new_p
            new_value, new_gradient = value_and_gradient(energy, new)
            new_p = new_p - (step_size if i < n_leapfrog - 1 else step_size / 2) * new_gradient
        log_ratio = value - new_value + (p.square() - new_p.square()).flatten(1).sum(1) / 2
        x, value, gradient = _accepted(log_ratio, rng, bounds, (new, new_value, new_gradient), (x, value, gradient))
    return x


State = tuple[Tensor, Tensor, Tensor]


def _accepted(log_ratio: Tensor, rng: Generator, bounds: Bounds, new: State, old: State) -> State:
    """Returns (x, E, ∇E), new where accepted, each row by itself."""
    chance = torch.rand(log_ratio.shape, generator=rng, device=log_ratio.device)
    taken = torch.log1p(-chance) <= log_ratio
    if bounds is not None:
        taken = taken & ((new[0] >= bounds[0]) & (new[0] <= bounds[1])).flatten(1).all(1)
    rows = taken.view(-1, *[1] * (new[0].ndim - 1))
    return torch.where(rows, new[0], old[0]), torch.where(taken, new[1], old[1]), torch.where(rows, new[2], old[2])
