"""Laws of the norm, the activation and the convolution whose second derivatives are closed forms."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.ops.double_backward import convolved, gradients_in_x_alone, normalisation, normalised, silu

FORMATS = {"usual": torch.contiguous_format, "channels-last": torch.channels_last}


def drawn(*shape: int, seed: int = 0, layout: str = "usual", dtype: torch.dtype = torch.float64) -> Tensor:
    draw = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = draw.to(dtype)
    return (x.contiguous(memory_format=FORMATS[layout]) if x.ndim == 4 else x).requires_grad_()


@settings(max_examples=15)
@given(
    groups=st.sampled_from([1, 2, 6]), rows=st.integers(1, 3), height=st.integers(2, 4), width=st.integers(1, 4),
    shift=st.floats(-50, 50), layout=st.sampled_from(list(FORMATS)), seed=st.integers(0, 99),
)  # fmt: skip
def test_the_norm_is_that_of_torch(
    groups: int, rows: int, height: int, width: int, shift: float, layout: str, seed: int
) -> None:
    x = drawn(rows, 6, height, width, seed=seed, layout=layout) + shift
    weight, bias = drawn(6, seed=1), drawn(6, seed=2)
    found = normalised(x, groups, weight, bias)
    torch.testing.assert_close(found, functional.group_norm(x, groups, weight, bias))
    assert found.stride() == (x * 1).stride(), "the memory format is kept"


@pytest.mark.parametrize("layout", list(FORMATS))
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_two_derivatives_of_the_norm_are_those_of_finite_differences(groups: int, layout: str) -> None:
    inputs = (drawn(2, 6, 3, 4, layout=layout), drawn(6, seed=1), drawn(6, seed=2))

    def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return normalised(x, groups, weight, bias)

    assert torch.autograd.gradcheck(norm, inputs)
    assert torch.autograd.gradgradcheck(norm, inputs)


def test_two_derivatives_of_the_activation_are_those_of_finite_differences() -> None:
    x = drawn(2, 3, 4, 4, layout="channels-last")
    torch.testing.assert_close(silu(x), functional.silu(x))
    assert torch.autograd.gradcheck(silu, (x,)) and torch.autograd.gradgradcheck(silu, (x,))


def test_a_wrong_second_derivative_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = normalisation._combined
    monkeypatch.setattr(normalisation, "_combined", lambda offset, *terms: real(offset * (len(terms) < 3), *terms))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradgradcheck(lambda x: normalised(x, 2, drawn(6), drawn(6)), (drawn(2, 6, 3, 3),))


def test_a_map_without_variance_has_finite_derivatives() -> None:
    x = torch.full((1, 2, 3, 3), 4.0, requires_grad=True)
    y = normalised(x, 2, torch.ones(2), torch.zeros(2))
    (once,) = torch.autograd.grad((y * torch.arange(9.0).view(3, 3)).sum(), x, create_graph=True)
    (twice,) = torch.autograd.grad(once.square().sum(), x)
    assert not y.any() and once.isfinite().all() and twice.isfinite().all()


@pytest.mark.parametrize("layout", list(FORMATS))
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_in_bf16_it_is_as_near_as_its_digits(layout: str, shift: float) -> None:
    x = (drawn(4, 8, 14, 14, layout=layout, dtype=torch.float32) + shift).detach()
    exact = functional.group_norm(x.bfloat16().double(), 8)
    found = normalised(x.bfloat16(), 8, torch.ones(8), torch.zeros(8))
    assert found.dtype == torch.bfloat16 and float((found - exact).norm() / exact.norm()) < 5e-3


# --- the graph of a gradient


def gradient_gradients(layers: list[nn.Conv2d], x: Tensor, apply: Any) -> list[Tensor]:
    """Returns the gradients of ⟨v, ∇ₓE⟩ in x and in all weights."""
    h = x
    for layer in layers:
        h = silu(apply(h, layer))
    (gradient,) = torch.autograd.grad(h.square().sum(), x, create_graph=True)
    weights = [p for layer in layers for p in layer.parameters()]
    return list(torch.autograd.grad((gradient * drawn(*gradient.shape, seed=9)).sum(), [x, *weights]))


@settings(max_examples=15)
@given(
    kernel=st.sampled_from([1, 3]), stride=st.integers(1, 2), padding=st.integers(0, 1), dilation=st.integers(1, 2),
    bias=st.booleans(), layout=st.sampled_from(list(FORMATS)),
)  # fmt: skip
def test_the_gradient_of_a_gradient_is_that_of_torch(
    kernel: int, stride: int, padding: int, dilation: int, bias: bool, layout: str
) -> None:
    way: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "bias": bias}
    layers = [nn.Conv2d(2, 3, kernel, **way).double(), nn.Conv2d(3, 4, 1).double()]
    x = drawn(2, 2, 7, 6, layout=layout)
    expected = gradient_gradients(layers, x, lambda h, layer: layer(h))
    with gradients_in_x_alone():
        found = gradient_gradients(layers, x, convolved)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_inside_only_gradients_with_a_graph_leave_weights_out() -> None:
    layer, x = nn.Conv2d(2, 2, 3).double(), drawn(1, 2, 5, 5)
    with gradients_in_x_alone():
        y = convolved(x, layer).square().sum()
    (kept,) = torch.autograd.grad(y, layer.weight, create_graph=True, allow_unused=True)
    (free,) = torch.autograd.grad(convolved(x, layer).square().sum(), layer.weight)
    assert kept is None and free.any(), "outside, and without a graph, weights have their gradients"
    with gradients_in_x_alone():
        y = convolved(x, layer).square().sum()
    torch.testing.assert_close(torch.autograd.grad(y, layer.weight)[0], free)


@pytest.mark.parametrize("settings", [{"groups": 2}, {"padding": "same"}, {"padding": 1, "padding_mode": "circular"}])
def test_other_convolutions_are_torch_s_own(settings: dict[str, Any]) -> None:
    layer, x = nn.Conv2d(2, 2, 3, **settings).double(), drawn(1, 2, 5, 5)
    with gradients_in_x_alone():
        assert torch.equal(convolved(x, layer), layer(x))
