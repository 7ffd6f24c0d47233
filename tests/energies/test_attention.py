"""Laws of self-attention."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.energies.attention import SelfAttention, attended


@given(n=st.integers(1, 6), seed=st.integers(0, 9))
def test_every_place_takes_a_mean_of_the_values_weighted_by_its_query(n: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    query, key, value = (torch.randn(2, c, n, generator=rng, dtype=torch.float64) for c in (3, 3, 5))
    result = attended(query, key, value)
    for b in range(2):
        for m in range(n):
            weights = (query[b, :, m] @ key[b]).exp()
            torch.testing.assert_close(result[b, :, m], value[b] @ (weights / weights.sum()))


def test_it_begins_as_the_identity_and_gamma_learns() -> None:
    layer, x = SelfAttention(16), torch.randn(2, 16, 4, 5)
    assert torch.equal(layer(x), x) and layer.query.out_channels == layer.key.out_channels == 2
    (grad,) = torch.autograd.grad(layer(x).square().sum(), layer.gamma)
    assert grad != 0
    with torch.no_grad():
        layer.gamma.fill_(1.0)
    assert not torch.equal(layer(x), x)


def test_moving_the_places_moves_the_result() -> None:
    layer, x = SelfAttention(8), torch.randn(1, 8, 3, 4)
    with torch.no_grad():
        layer.gamma.fill_(1.0)
    torch.testing.assert_close(layer(x.flip(3)), layer(x).flip(3))
