"""Energies that break one promise each, wrappers that break the same, and right ones beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit import BuildContext, Component, Include, NoConfig, Point, seeded

HERE = "tests.testing.doubles_of_energies"


class Right(nn.Module):
    """½‖f(x)‖² of a small network; `wrong` is applied to (module, point, features).

    As a wrapper, it takes the energy that it wraps as one more feature.
    """

    def __init__(self, context: BuildContext, wrong: Callable[[Any, Point, Tensor], Tensor] | None = None) -> None:
        super().__init__()
        with seeded(context.seed):
            self.first = nn.Linear(torch.Size(context.event_shape).numel(), 12)
        self.norm, self.drop = nn.BatchNorm1d(12), nn.Dropout(0.5)
        self.register_buffer("asked", torch.zeros(()))
        self.wrong, self.inner = wrong, context.inner

    def forward(self, point: Point) -> Tensor:
        features = torch.tanh(self.first(point.x.flatten(1)))
        if self.inner is not None:
            features = torch.cat([features, self.inner(point)[:, None]], dim=1)
        return features.square().sum(dim=1) / 2 if self.wrong is None else self.wrong(self, point, features)


def energy_of(features: Tensor) -> Tensor:
    return features.square().sum(dim=1) / 2


def writing(module: Any, point: Point, features: Tensor) -> Tensor:
    with torch.no_grad():
        point.x.mul_(0.5)
    return energy_of(features)


def infinite(module: Any, point: Point, features: Tensor) -> Tensor:
    return energy_of(features) - torch.log(features[:, 0] - 2)


def single(module: Any, point: Point, features: Tensor) -> Tensor:
    """In float64 it computes in float32 half of the way."""
    return energy_of(features.float().to(features.dtype))


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


class Bounded(Right):
    """It says that it can be differentiated three times in a row, and can be once."""

    n_derivatives = 3

    def forward(self, point: Point) -> Tensor:
        return dead(self, point, torch.tanh(self.first(point.x.flatten(1))))


class Silent(Right):
    """Its declaration gives a latent, and it has none."""


class Labelled(Right):
    """E(x) + y·½, with the energies of all labels; `turn` moves them on."""

    abilities = frozenset({"levels.label"})

    def __init__(self, context: BuildContext, turn: int = 0) -> None:
        super().__init__(context)
        self.turn, self.n_labels = turn, context.n_classes

    def forward(self, point: Point) -> Tensor:
        energy: Tensor = super().forward(point)
        return energy + point.aux["label"] / 2

    def levels(self, point: Point, name: str) -> Tensor:
        own = super().forward(point)[:, None] + torch.arange(self.n_labels) / 2
        return own.roll(self.turn, dims=1)


class Loose(nn.Module):
    """It holds what it wraps in a list, which is no module."""

    def __init__(self, context: BuildContext) -> None:
        super().__init__()
        self.inner, self.scale = [context.inner], nn.Parameter(torch.ones(()))

    def forward(self, point: Point) -> Tensor:
        energy: Tensor = self.inner[0](point)
        return self.scale * energy


class Held(Loose):
    """Nothing that it wraps is trained."""

    def __init__(self, context: BuildContext) -> None:
        super().__init__(context)
        self.wrapped = context.inner

    def forward(self, point: Point) -> Tensor:
        constant = {name: p.detach() for name, p in self.wrapped.named_parameters()}
        energy: Tensor = torch.func.functional_call(self.wrapped, constant, (point,))
        return self.scale * energy


def _builder(make: Callable[..., Any], *more: Any) -> Callable[[NoConfig, BuildContext], Any]:
    return lambda config, context: make(context, *more)


build_right, build_secret = _builder(Right), _builder(Secret)
build_halved, build_latent = _builder(Halved), _builder(Latent)
build_column, build_half = _builder(Right, column), _builder(Right, half)
build_batch_norm, build_prefix = _builder(Right, batch_norm), _builder(Right, prefix)
build_noisy, build_dropout = _builder(Right, noisy), _builder(Right, dropout)
build_detached, build_counting, build_dead = _builder(Right, detached), _builder(Right, counting), _builder(Right, dead)


build_writing, build_infinite, build_single = (
    _builder(Right, writing),
    _builder(Right, infinite),
    _builder(Right, single),
)
build_bounded, build_silent = _builder(Bounded), _builder(Silent)
build_labelled, build_turned = _builder(Labelled), _builder(Labelled, 1)
build_loose, build_held = _builder(Loose), _builder(Held)


def build_nothing(config: NoConfig, context: BuildContext) -> None:
    return None


def part(name: str, kind: str = "energy", **more: Any) -> Component:
    build = f"{HERE}:build_{name.replace('-', '_')}"
    return Component(kind=kind, name=f"{name}-{kind}-double", build=build, summary="a double", **more)


LABELS: dict[str, Any] = {
    "gives": ("energy.labels", "energy.levels.label"),
    "includes": (Include("coordinate", "label", reason="it is an energy of x and label"),),
}
LATENT: dict[str, Any] = {"gives": ("energy.latent",)}
BROKEN: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    ("column", {}, "answer", r"shape \((8|16), 1\) for .* rows.*squeeze"),
    ("nothing", {}, "answer", "built NoneType, which cannot be asked. An energy maps a Point"),
    ("half", {}, "answer", "float16.*energy.float"),
    ("writing", {}, "answer", "wrote into 'x' of the point.*Work on a copy"),
    ("infinite", {}, "answer", "not finite at data that are.*Look for a logarithm"),
    ("noisy", {}, "deterministic", "global random stream|two answers at the same point"),
    ("batch-norm", {}, "rows", "depends on the other rows of the batch.*GroupNorm"),
    ("prefix", {}, "rows", "rows in another order.*no mean, sum or sort"),
    ("dropout", {}, "mode", "training mode than in evaluation mode.*leave such layers out"),
    ("detached", {}, "gradient", "finite differences in float64 give.*detach"),
    ("single", {}, "gradient", r"finite differences in float64 give.*float\(\) in the middle"),
    ("counting", {}, "unchanged", "changed its own 'asked'.*Leave running statistics out"),
    ("dead", {}, "derivatives", "differentiated 3 times in a row.*say in `n_derivatives`"),
    ("bounded", {}, "derivatives", "differentiated 3 times in a row.*say in `n_derivatives`"),
    ("latent", LATENT, "abilities", "not of unit norm. Normalise them"),
    ("silent", LATENT, "abilities", "gives 'energy.latent', and the abilities .*take the word out"),
    ("turned", LABELS, "abilities", "energies that are not its own.*Both must be one energy"),
    ("secret", {}, "saved", "a resumed run would differ.*parameters and buffers"),
    ("halved", {}, "view", "frozen view has other energies.*no tensors in plain attributes"),
)
"""What breaks, more of its declaration, the promise and the message: of an energy, and of a wrapper."""

RIGHT = (part("right"), part("labelled", **LABELS), part("right", "wrapper"))
WRONG: tuple[tuple[Component, str, str], ...] = (
    *((part(name, kind, **more), *told) for kind in ("energy", "wrapper") for name, more, *told in BROKEN),
    (part("loose", "wrapper"), "inner", "no .* is among its modules.*self.inner = context.inner"),
    (part("held", "wrapper"), "inner", "no gradient in the weights of the energy that it wraps.*Leave out detach"),
)  # type: ignore[assignment]
"""Double, the promise that it breaks, and what the message must say."""
