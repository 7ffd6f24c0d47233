"""Laws of passes: ∇E as autograd gives it, laid out as x, telling of rows that are lost; engines that are none."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.views.passes import Passes, telling, value_and_gradient


def quartic(point: Point) -> Tensor:
    return point.x.pow(4).flatten(1).sum(dim=1)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(n=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_gradient_is_the_closed_form(n: int, seed: int) -> None:
    x = draw(n, 3, seed=seed)
    energy, gradient = value_and_gradient(quartic)(Point(x=x))
    torch.testing.assert_close(energy, x.pow(4).sum(dim=1))
    torch.testing.assert_close(gradient, 4 * x.pow(3))
    assert not energy.requires_grad and not gradient.requires_grad and not x.requires_grad


def test_a_gradient_is_found_where_the_caller_wants_none_and_keeps_no_graph() -> None:
    x = draw(4, 3).requires_grad_()
    with torch.no_grad():
        _, gradient = value_and_gradient(quartic)(Point(x=x))
    torch.testing.assert_close(gradient, 4 * x.detach().pow(3))
    assert x.grad is None and not gradient.requires_grad


def test_gradients_are_laid_out_as_x_and_energies_are_at_least_fp32() -> None:
    x = draw(2, 3, 4, 4).to(memory_format=torch.channels_last)
    assert value_and_gradient(lambda p: quartic(p.replace(x=p.x.contiguous())))(Point(x=x))[1].stride() == x.stride()
    energy, gradient = value_and_gradient(quartic)(Point(x=draw(2, 3).bfloat16()))
    assert (energy.dtype, gradient.dtype) == (torch.float32, torch.bfloat16)
    assert value_and_gradient(quartic)(Point(x=draw(2, 3).double()))[0].dtype == torch.float64


@pytest.mark.parametrize("lost", [float("nan"), float("inf"), -float("inf")])
def test_rows_without_a_finite_energy_are_told_and_no_others_change(lost: float) -> None:
    energy, gradient = torch.tensor([1.0, lost, 1e30]), draw(3, 1, 2, 2)
    told = telling(energy, gradient)
    assert told[1].isnan().all() and torch.equal(told[[0, 2]], gradient[[0, 2]])


def test_values_are_asked_without_a_graph_in_chunks_and_never_specially() -> None:
    sizes: list[int] = []

    def ask(point: Point) -> Tensor:
        sizes.append(len(point))
        assert not torch.is_grad_enabled()
        return quartic(point)

    passes = Passes(quartic, "compile", 4, tolerance=0.0)
    torch.testing.assert_close(passes.value(ask, Point(x=draw(9, 3))), draw(9, 3).pow(4).sum(dim=1))
    assert sizes == [4, 4, 1]


def test_a_gradient_is_the_told_gradient() -> None:
    passes = Passes(lambda p: quartic(p) / (p.x[:, 0] != 0), "eager", 0, tolerance=0.0)
    x = draw(3, 2)
    x[1] = 0.0
    gradient = passes.gradient(Point(x=x))
    assert gradient[1].isnan().all() and torch.equal(gradient[0], passes.energy_and_gradient(Point(x=x))[1][0])


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for engine, chunk, word in (
        ("jit", 0, "jit"),
        ("graph", 0, "CUDA"),
        ("eager", -1, "chunk"),
        ("eager", True, "True"),
    ):
        with pytest.raises(CapabilityError, match=word):
            Passes(quartic, engine, chunk, tolerance=0.0)
