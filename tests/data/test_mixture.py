"""The mixture of Gaussians is normalised, its draws follow it, and its means are those that are published."""

import math

import pytest
import torch

from ebmkit.data.mixture import GaussianMixture, build_mixture, mixture
from ebmkit.data.mixture_config import GaussianMixtureConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.dataset import Dataset


def grid(half_width, n=400):
    side = (torch.arange(n, dtype=torch.float64) + 0.5) / n * 2 * half_width - half_width
    return torch.cartesian_prod(side, side), (2 * half_width / n) ** 2


@pytest.mark.parametrize("weights", ["equal", "linear"])
def test_the_density_integrates_to_one_in_the_plane(weights):
    law = mixture(GaussianMixtureConfig(dimensions=2, modes=5, weights=weights))
    points, area = grid(3.0)
    assert float(law.log_density(points).exp().sum() * area) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("dimensions", [16, 64, 128])
def test_the_density_integrates_to_one_by_importance_sampling(dimensions):
    """E_q[p/q] = 1 with q the same modes, 1.05 times as wide, and equally likely where p has them 1 : 2 : 3 …"""
    law = mixture(GaussianMixtureConfig(dimensions=dimensions, weights="linear"))
    even = torch.full_like(law.log_weights, -math.log(40))
    wider = GaussianMixture(log_weights=even, means=law.means, sd=1.05 * law.sd)
    x = wider.draw(20_000, torch.Generator().manual_seed(0))[0].double()
    ratio = (law.log_density(x) - wider.log_density(x)).exp()
    error = float(ratio.std()) / math.sqrt(len(x))
    assert abs(float(ratio.mean()) - 1) < 4 * error < 0.1


@pytest.mark.parametrize("weights", ["equal", "linear"])
def test_draws_have_the_weights_the_moments_and_the_entropy(weights):
    law = mixture(GaussianMixtureConfig(dimensions=16, weights=weights))
    x, mode = law.draw(40_000, torch.Generator().manual_seed(1))
    counts = torch.bincount(mode, minlength=40) / len(mode)
    assert (counts - law.log_weights.exp()).abs().max() < 4 * math.sqrt(0.05 / len(mode))
    assert x.mean(dim=0).abs().max() < 0.03 and (x.std(dim=0) - 1).abs().max() < 0.03
    far = law.log_weights.exp()  # modes that do not overlap: the entropy is that of the weights and of one mode
    entropy = -(far * law.log_weights).sum() + law.sd.log().sum() + 8 * math.log(2 * math.pi * math.e)
    values = law.log_density(x)
    assert abs(float(values.mean() + entropy)) < 4 * float(values.std()) / math.sqrt(len(x)) + 1e-3
    assert torch.equal(law.log_joint(x).argmax(dim=1), mode)


def test_the_usual_means_and_variance_are_the_published_ones():
    config = GaussianMixtureConfig(dimensions=2, standardised=False)
    law = mixture(config)
    assert config.sd**2 == pytest.approx(math.log1p(math.e), abs=1e-5)
    drawn = torch.rand((40, 2), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(law.means.float(), (drawn - 0.5) * 2 * 40, atol=1e-4)
    assert law.log_weights.exp().sum() == pytest.approx(1.0) and law.log_weights.unique().numel() == 1


def test_it_is_a_data_set_whose_labels_are_the_modes():
    data = build_mixture(GaussianMixtureConfig(dimensions=64, n=100), BuildContext())
    batch = data.batch(torch.arange(100), torch.Generator().manual_seed(0))
    assert isinstance(data, Dataset) and data.event_shape == (64,) and data.n_classes == 40
    assert batch.x.shape == (100, 64) and batch.x.dtype == torch.float32 and batch.y.dtype == torch.int64
    assert data.log_density(batch.x).dtype == torch.float32
