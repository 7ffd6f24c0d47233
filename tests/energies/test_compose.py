"""The algebra of products and mixtures."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ebmkit.energies.compose import mixture, product
from ebmkit.energies.wrap import energy
from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.views import view

weights = st.lists(st.floats(-2, 2), min_size=1, max_size=4)


def bump(centre: float) -> Callable[[Point], Tensor]:
    return lambda point: (point.x - centre).square().sum(dim=1) / 2


def point(seed: int = 0, dtype: torch.dtype = torch.float64) -> Point:
    return Point(x=torch.randn(5, 2, generator=torch.Generator().manual_seed(seed), dtype=dtype))


@settings(max_examples=40)
@given(weights=weights, seed=st.integers(0, 99))
def test_a_product_adds_and_a_mixture_takes_the_soft_minimum(weights: list[float], seed: int) -> None:
    at, parts = point(seed), [bump(i) for i in range(len(weights))]
    energies = torch.stack([part(at) for part in parts])
    w = torch.tensor(weights, dtype=torch.float32).double()
    torch.testing.assert_close(product(*parts, weights=weights)(at), (w[:, None] * energies).sum(dim=0))
    torch.testing.assert_close(
        mixture(*parts, log_weights=weights)(at), -(w[:, None] - energies).exp().sum(dim=0).log()
    )


def test_the_algebra() -> None:
    at, a, b, c = point(), bump(0), bump(1), bump(2)
    torch.testing.assert_close(product(a)(at), a(at))
    torch.testing.assert_close(mixture(a)(at), a(at))
    torch.testing.assert_close(product(a, b)(at), product(b, a)(at))
    torch.testing.assert_close(mixture(a, mixture(b, c))(at), mixture(a, b, c)(at))
    torch.testing.assert_close(product(product(a, b), c)(at), product(a, b, c)(at))
    torch.testing.assert_close(product(a, a, weights=[1, -1])(at), torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(product(c, mixture(a, b))(at), mixture(product(c, a), product(c, b))(at))
    torch.testing.assert_close(mixture(a, a, log_weights=[-(2**0.5), -torch.inf])(at), a(at) + 2**0.5)


def test_parts_that_are_modules_train_and_are_followed_by_the_view() -> None:
    module, at = energy(nn.Linear(2, 1)), point(dtype=torch.float32)
    whole = product(module, bump(0), weights=[0.5, 2.0])
    assert len(list(whole.parameters())) == 2 and not whole.state_dict().keys() & {"weights"}
    seen = view(whole)
    assert torch.equal(seen.energy(at), whole(at).detach())
    with torch.no_grad():
        next(module.parameters()).add_(1.0)
    seen.refresh()
    assert torch.equal(seen.energy(at), whole(at).detach())


def test_weights_must_match() -> None:
    with pytest.raises(CapabilityError, match="2 energies were given 1 weights"):
        product(bump(0), bump(1), weights=[1.0])
    for compose in (product, mixture):
        with pytest.raises(CapabilityError, match="at least one"):
            compose()


def test_a_mixture_is_one_at_the_temperature_it_was_made_for() -> None:
    temperature, x = 1e-3, torch.linspace(-2, 2, 41)[:, None]
    parts = [lambda p, m=m: 0.5e-3 * (p.x[:, 0] - m).square() / 0.04 for m in (-1.0, 1.0)]
    energy = mixture(*parts, temperature=temperature)(Point(x=x))
    exact = sum(torch.exp(-part(Point(x=x)) / temperature) for part in parts)
    assert torch.allclose(torch.exp(-energy / temperature), exact, rtol=1e-4)
