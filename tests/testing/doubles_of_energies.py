"""Energies that break one promise each, and a right one beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit import BuildContext, Component, NoConfig, Point, seeded

HERE = "tests.testing.doubles_of_energies"


class Right(nn.Module):
    """½‖f(x)‖² of a small network; `wrong` is applied to (module, point, features)."""

    def __init__(self, context: BuildContext, wrong: Callable[[Any, Point, Tensor], Tensor] | None = None) -> None:
        super().__init__()
        with seeded(context.seed):
            self.first = nn.Linear(torch.Size(context.event_shape).numel(), 12)
        self.norm, self.drop = nn.BatchNorm1d(12), nn.Dropout(0.5)
        self.register_buffer("asked", torch.zeros(()))
        self.wrong = wrong

    def forward(self, point: Point) -> Tensor:
        features = torch.tanh(self.first(point.x.flatten(1)))
        return features.square().sum(dim=1) / 2 if self.wrong is None else self.wrong(self, point, features)


def energy_of(features: Tensor) -> Tensor:
    return features.square().sum(dim=1) / 2


def column(module: Any, point: Point, features: Tensor) -> Tensor:
    return energy_of(features)[:, None]


def half(module: Any, point: Point, features: Tensor) -> Tensor:
    return energy_of(features).half()


def batch_norm(module: Any, point: Point, features: Tensor) -> Tensor:
    return energy_of(nn.functional.batch_norm(features, None, None, training=True))


def prefix(module: Any, point: Point, features: Tensor) -> Tensor:
    """What a row's energy is follows from its place in the batch."""
    return energy_of(features) + torch.arange(len(features), dtype=features.dtype)


def noisy(module: Any, point: Point, features: Tensor) -> Tensor:
    return energy_of(features) + torch.randn(len(features))


def dropout(module: Any, point: Point, features: Tensor) -> Tensor:
    return energy_of(features) * (2.0 if module.training else 1.0)


def detached(module: Any, point: Point, features: Tensor) -> Tensor:
    return energy_of(features) + point.x.detach().flatten(1).square().sum(dim=1)


def counting(module: Any, point: Point, features: Tensor) -> Tensor:
    module.asked += 1
    return energy_of(features)


class Dead(torch.autograd.Function):
    """x², whose gradient cannot be differentiated."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (x,) = context.saved_tensors
        found: Tensor = 2 * x * gradient
        return found


def dead(module: Any, point: Point, features: Tensor) -> Tensor:
    return Dead.apply(features).square().sum(dim=1)  # type: ignore[no-untyped-call, no-any-return]


class Secret(Right):
    """Its scale is a plain number that it takes from its weights when they are first used."""

    scale: float | None = None

    def forward(self, point: Point) -> Tensor:
        if self.scale is None:
            self.scale = float(self.first.weight.detach().abs().sum())
        energy: Tensor = super().forward(point) * self.scale
        return energy


class Halved(Right):
    """In the frozen copy, which is made without gradients of the weights, it is another energy."""

    def forward(self, point: Point) -> Tensor:
        energy: Tensor = super().forward(point)
        return energy if any(p.requires_grad for p in self.parameters()) else energy / 2


class Latent(Right):
    """A latent that has no unit norm."""

    abilities = frozenset({"latent"})

    def latent(self, point: Point) -> Tensor:
        return 3 * torch.tanh(self.first(point.x.flatten(1)))


def _builder(make: Callable[..., Any], *more: Any) -> Callable[[NoConfig, BuildContext], Any]:
    return lambda config, context: make(context, *more)


build_right, build_secret = _builder(Right), _builder(Secret)
build_halved, build_latent = _builder(Halved), _builder(Latent)
build_column, build_half = _builder(Right, column), _builder(Right, half)
build_batch_norm, build_prefix = _builder(Right, batch_norm), _builder(Right, prefix)
build_noisy, build_dropout = _builder(Right, noisy), _builder(Right, dropout)
build_detached, build_counting, build_dead = _builder(Right, detached), _builder(Right, counting), _builder(Right, dead)


def part(name: str, **more: Any) -> Component:
    build = f"{HERE}:build_{name.replace('-', '_')}"
    return Component(kind="energy", name=f"{name}-double", build=build, summary="a double", **more)


RIGHT = (part("right"),)
WRONG: tuple[tuple[Component, str, str], ...] = (
    (part("column"), "answer", r"shape \((8|16), 1\) for .* rows.*squeeze"),
    (part("half"), "answer", "float16.*energy.float"),
    (part("noisy"), "deterministic", "global random stream|two answers at the same point"),
    (part("batch-norm"), "rows", "depends on the other rows of the batch.*GroupNorm"),
    (part("prefix"), "rows", "rows in another order"),
    (part("dropout"), "mode", "training mode than in evaluation mode"),
    (part("detached"), "gradient", "finite differences in float64 give.*detach"),
    (part("counting"), "unchanged", "changed its own 'asked'"),
    (part("dead"), "derivatives", "differentiated 2 times in a row"),
    (part("latent", gives=("energy.latent",)), "abilities", "not of unit norm"),
    (part("secret"), "saved", "a resumed run would differ"),
    (part("halved"), "view", "frozen view has other energies"),
)
"""Double, the promise that it breaks, and what the message must say."""
