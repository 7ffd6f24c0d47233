"""Laws of the listed lattices: draws have the probabilities that the density says, which sum to one."""

import math

import pytest
import torch

from ebmkit.assembly.build import build
from ebmkit.data.lattice import listed
from ebmkit.errors import RecipeError
from ebmkit.ops.discrete import hold
from ebmkit.protocols.dataset import Dataset

each_law = pytest.mark.parametrize(("law", "side"), [("ising", 3), ("potts", 2)])


def lattice(law, side, **settings):
    return build("dataset", "toy-discrete", law=law, side=side, **settings)


@each_law
def test_draws_have_the_listed_probabilities(law, side):
    data, n = lattice(law, side), 10_000
    x = data.batch(torch.arange(n), torch.Generator().manual_seed(0)).x
    assert hold(x, data.x_values) and tuple(x.shape[1:]) == data.event_shape
    place = (x.flatten(1)[:, None] == data.states.flatten(1)).all(dim=2).int().argmax(dim=1)
    expected = n * data.log_probability.exp()
    chi, free = ((torch.bincount(place, minlength=len(expected)) - expected) ** 2 / expected).sum(), len(expected) - 1
    assert abs(float((chi - free) / math.sqrt(2 * free))) < 4


@each_law
def test_the_density_sums_to_one_over_all_states(law, side):
    data = lattice(law, side)
    assert abs(float(data.log_density(data.states.double()).exp().sum()) - 1) < 1e-9
    assert len(data.states.flatten(1).unique(dim=0)) == len(data.states)


def test_neighbours_attract_and_the_field_draws():
    """Written out on a 2 × 2 torus, where every site meets both of its neighbours twice."""
    data = lattice("ising", 2, coupling=0.5, field=0.25)
    one = torch.tensor([[1.0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1]]).view(3, 1, 2, 2)
    assert torch.allclose(data.energy(one), torch.tensor([-0.5 * 8 - 1.0, -0.5 * 0 - 0.5, -0.5 * 0 - 0.0]))
    data = lattice("potts", 2, coupling=0.5, field=0.25)
    sites = torch.nn.functional.one_hot(torch.tensor([[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 2, 2]]), 3).float()
    assert torch.allclose(data.energy(sites), torch.tensor([-0.5 * 8 - 1.0, -0.5 * 4 - 0.75, -0.5 * 4 - 0.0]))


def test_every_state_is_listed_once():
    assert listed(3, 2).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2]]


def test_it_is_a_data_set_whose_draws_are_unseen():
    data = lattice("potts", 2, n=7)
    assert isinstance(data, Dataset) and len(data) == 7 and data.split("test") is data
    assert (data.x_values, data.n_classes, data.value_range) == ("one-hot", 0, (0.0, 1.0))


def test_more_states_than_can_be_listed_are_refused():
    with pytest.raises(RecipeError, match="side is at most 3"):
        lattice("potts", 4)
