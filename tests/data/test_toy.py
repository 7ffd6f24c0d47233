"""Toy sets are data sets, drawn from the generator they are given."""

import pytest
import torch

from ebmkit.data.declarations import ToyConfig
from ebmkit.data.toy import LAWS, build_toy
from ebmkit.errors import DataError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.settings import validated


def built(**settings):
    return build_toy(ToyConfig(**settings), BuildContext())


@pytest.mark.parametrize("density", LAWS)
def test_every_density_is_a_dataset(density):
    data = built(density=density, n=50)
    batch = data.batch(torch.arange(500) % 50, torch.Generator().manual_seed(0))
    assert isinstance(data, Dataset) and len(data) == 50 and data.event_shape == (2,) and data.value_range is None
    assert batch.x.shape == (500, 2) and batch.x.dtype == torch.float32 and batch.y.dtype == torch.int64
    assert batch.y.unique().tolist() == list(range(data.n_classes))


@pytest.mark.parametrize("density", LAWS)
def test_draws_depend_on_the_generator_alone(density):
    data, rows = built(density=density), torch.arange(8)
    first, again, other = (data.batch(rows, torch.Generator().manual_seed(seed)).x for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("density", sorted(LAWS))
def test_every_density_has_a_log_density(density):
    inside, outside = built(density=density).log_density(torch.tensor([[0.5, 0.5], [100.0, 0.0]])).tolist()
    assert inside > outside


def test_both_splits_are_the_same_law():
    data = built()
    assert data.split("train") is data and data.split("test") is data
    with pytest.raises(DataError, match="'all' was asked for"):
        data.split("all")


def test_settings_reach_the_density():
    data = built(density="rings", n_rings=5, radius=10.0, sd=1e-3)
    r = data.batch(torch.arange(1000), torch.Generator().manual_seed(0)).x.norm(dim=1)
    assert data.n_classes == 5 and (r - 2.0 * (r / 2.0).round()).abs().max() < 0.01


@pytest.mark.parametrize(("density", "setting"), [("checkerboard", {"sd": 0.1}), ("moons", {"n_rings": 2})])
def test_a_setting_that_would_be_ignored_is_refused(density, setting):
    with pytest.raises(RecipeError, match="Leave"):
        validated(ToyConfig, {"density": density, **setting}, "[data]")


def test_an_unknown_density_is_refused():
    with pytest.raises(DataError, match="no toy density 'spiral'"):
        built(density="spiral")
