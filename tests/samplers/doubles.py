"""Broken doubles, each of which the laws must refuse, and views that mislead or count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from ebmkit import Point
from ebmkit.samplers import hmc, mala

_mala_ratio, _hmc_ratio, _leapfrog = mala.log_accept_ratio, hmc.log_accept_ratio, hmc.leapfrog


def published_ratio(
    energy: Tensor, energy_new: Tensor, gradient: Tensor, gradient_new: Tensor, noise: Tensor, step_size: Tensor
) -> Tensor:
    """The defect of the published DA-EBM sampler: s²/2 where the ratio has s/2."""
    pull = step_size**2 / 2 * (gradient + gradient_new)
    squares = (noise.square() - (pull - noise).square()) / 2
    return energy - energy_new + squares.flatten(1).sum(dim=1)


def two_gradients(
    energy: Tensor, energy_new: Tensor, gradient: Tensor, gradient_new: Tensor, noise: Tensor, step_size: Tensor
) -> Tensor:
    """The way back is judged with another gradient than the one that would have proposed it."""
    return _mala_ratio(energy, energy_new, gradient, 1.3 * gradient_new, noise, step_size)


def energies_alone(
    energy: Tensor, energy_new: Tensor, gradient: Tensor, gradient_new: Tensor, noise: Tensor, step_size: Tensor
) -> Tensor:
    """Metropolis without Hastings: the gradient of the proposal is forgotten."""
    return energy - energy_new


def kinetic_sign(energy: Tensor, energy_new: Tensor, momentum: Tensor, momentum_new: Tensor) -> Tensor:
    """The kinetic energy enters with the wrong sign."""
    return _hmc_ratio(energy, energy_new, momentum_new, momentum)


def momentum_sign(*arguments: Any) -> tuple[Tensor, Tensor]:
    """The momentum is turned before its closing half kick, so that the move is not its own way back."""
    x, momentum = _leapfrog(*arguments)
    return x, -momentum


def shrinking(*arguments: Any) -> tuple[Tensor, Tensor]:
    """The trajectory loses volume, and the ratio does not know."""
    x, momentum = _leapfrog(*arguments)
    return 0.97 * x, momentum


DOUBLES = {
    "published ratio": ("mala", "log_accept_ratio", published_ratio),
    "two gradients": ("mala", "log_accept_ratio", two_gradients),
    "energies alone": ("mala", "log_accept_ratio", energies_alone),
    "kinetic sign": ("hmc", "log_accept_ratio", kinetic_sign),
    "momentum sign": ("hmc", "leapfrog", momentum_sign),
    "shrinking": ("hmc", "leapfrog", shrinking),
}


@contextmanager
def broken(name: str) -> Iterator[str]:
    """Breaks a sampler for a while; gives its name."""
    sampler, function, wrong = DOUBLES[name]
    with mock.patch(f"ebmkit.samplers.{sampler}.{function}", wrong):
        yield sampler


class Counting:
    """A view that counts the gradients it is asked for, and the rows of each."""

    def __init__(self, view: Any) -> None:
        self.view, self.n_gradients, self.n_rows = view, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.view, name)

    def gradient(self, point: Point) -> Tensor:
        self.n_gradients += 1
        self.n_rows += len(point)
        gradient: Tensor = self.view.gradient(point)
        return gradient

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        self.n_gradients += 1
        self.n_rows += len(point)
        both: tuple[Tensor, Tensor] = self.view.energy_and_gradient(point)
        return both


class WrongDrift:
    """A view whose gradient is not the gradient, but a function of x all the same: coarse, weak and shifted."""

    def __init__(self, view: Any) -> None:
        self.view = view

    def __getattr__(self, name: str) -> Any:
        return getattr(self.view, name)

    def gradient(self, point: Point) -> Tensor:
        gradient: Tensor = 0.6 * self.view.gradient(point).to(torch.bfloat16).to(point.x.dtype) + 0.4
        return gradient

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        return self.view.energy(point), self.gradient(point)
