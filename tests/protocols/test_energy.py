"""Laws of energies: how often they can be differentiated."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.assembly.build import build
from ebmkit.energies.compose import product
from ebmkit.ops.double_backward import gradients_in_x_alone
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import derivatives_of

IMAGES = BuildContext(event_shape=(1, 8, 8))


def resnet(**settings: Any) -> Any:
    return build("energy", "resnet", context=IMAGES, widths=(4, 4), activation="silu", **settings)


class Wrapped(nn.Module):
    """A stranger's wrapper, which says nothing."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, point: Point) -> Tensor:
        value: Tensor = self.inner(point)
        return value


def test_an_energy_has_the_least_of_its_parts() -> None:
    mlp, plain = build("energy", "mlp", context=IMAGES), resnet(block="plain")
    assert all(derivatives_of(energy) is None for energy in (mlp, plain, product(mlp, plain), lambda p: p.x.sum(dim=1)))
    for settings in ({"block": "standardised"}, {"block": "plain", "downsample": "conv-average"}):
        closed = resnet(**settings)
        assert all(derivatives_of(energy) == 2 for energy in (closed, Wrapped(closed), product(mlp, closed)))

    def bounded(point: Point) -> Tensor:
        return point.x.sum(dim=1)

    bounded.n_derivatives = 1  # type: ignore[attr-defined]
    assert derivatives_of(bounded) == 1 == derivatives_of(product(bounded, mlp))


def derivative(energy: nn.Module, n: int) -> Tensor:
    """Returns the gradient in the parameters, squared, of the n-th derivative of the energy, n − 1 of them in x."""
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with gradients_in_x_alone():
        value = energy(Point(x=x)).sum()
        for _ in range(n - 1):
            (slope,) = torch.autograd.grad(value, x, create_graph=True)
            value = slope.square().sum()
    value.backward()  # autograd.grad would leave out, without a word, what has no further derivative
    return torch.stack([p.grad.square().sum() for p in energy.parameters() if p.grad is not None]).sum()


@pytest.mark.parametrize("settings", [{"block": "standardised"}, {"downsample": "conv-average"}])
def test_a_resnet_has_the_derivatives_that_it_declares_and_no_more(settings: dict[str, Any]) -> None:
    energy = resnet(**settings)
    assert derivative(energy, 1) > 0
    assert derivative(energy, 2) > 0
    with pytest.raises(RuntimeError, match=r"once_differentiable|differentiate twice"):
        derivative(energy, 3)


def test_networks_of_plain_layers_have_any() -> None:
    for energy in (build("energy", "mlp", context=IMAGES, widths=(8,), activation="silu"), resnet()):
        assert derivative(energy, 3) > 0
