"""Laws of the waves beside an input."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.assembly.build import build
from ebmkit.energies.fourier import Fourier
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point


@given(width=st.integers(1, 4), n=st.integers(1, 5), seed=st.integers(0, 9))
def test_every_frequency_gives_a_point_on_a_circle(width: int, n: int, seed: int) -> None:
    torch.manual_seed(seed)
    waves = Fourier(width, n, sd=2.0)
    x = torch.randn(6, width)
    given_x, sines, cosines = waves(x).split([width, n, n], dim=1)
    assert torch.equal(given_x, x)
    torch.testing.assert_close(sines.square() + cosines.square(), torch.ones(6, n))
    torch.testing.assert_close(waves(torch.zeros(1, width))[0], torch.tensor([0.0] * (width + n) + [1.0] * n))
    period = 2 * torch.pi * waves.frequencies[0] / waves.frequencies[0].square().sum()
    torch.testing.assert_close(waves(x + period)[:, width], sines[:, 0], atol=1e-4, rtol=0)


def test_frequencies_have_the_asked_spread_and_are_kept_with_the_weights() -> None:
    context = BuildContext(event_shape=(2,), seed=3)
    one, same = (build("energy", "mlp", context=context, frequencies=4000, frequency_sd=2.5) for _ in range(2))
    other = build("energy", "mlp", context=BuildContext(event_shape=(2,), seed=4), frequencies=4000, frequency_sd=2.5)
    assert abs(float(one.waves.frequencies.std()) - 2.5) < 0.1
    assert torch.equal(one.waves.frequencies, same.waves.frequencies)
    assert not torch.equal(one.waves.frequencies, other.waves.frequencies)
    other.load_state_dict(one.state_dict())
    x = torch.randn(5, 2)
    assert torch.equal(one(Point(x=x)), other(Point(x=x)))
    assert all("waves" not in name for name, _ in one.named_parameters())
