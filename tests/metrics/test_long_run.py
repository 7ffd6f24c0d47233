"""Laws of the long-run test."""

from dataclasses import replace

import pytest
import torch

from ebmkit.assembly.build import build
from ebmkit.coordinates.label import Label
from ebmkit.coordinates.momentum import Momentum
from ebmkit.errors import CapabilityError, DataError, DivergenceError, RecipeError
from ebmkit.metrics.long_run import drift_z, from_data_z, long_run
from ebmkit.point import Batch
from ebmkit.protocols.sampler import SamplerInfo, SamplerState
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.samplers.sequence import Sequence
from tests.metrics.diffused import Noise, model_of

N = 400


def run_of(energy, *coordinates, value_range=None, step_size=0.7, moves=1, noise=True):
    sampler = build("sampler", "mala", moves=moves, step_size=step_size)
    held = (Noise(value_range),) if noise else ()
    return model_of(energy, *held, *coordinates, sampler=sampler, value_range=value_range)


def clean_gaussian(point):
    assert (point.aux["noise"] == 0).all()
    return point.x.square().sum(dim=1) / 2


def start(scale=1.0):
    return scale * torch.randn(N, 2, generator=torch.Generator().manual_seed(0))


def test_chains_of_the_right_model_do_not_drift():
    seen = []
    result = long_run(
        run_of(clean_gaussian), start(), transitions=400, records=20, watch=lambda *told: seen.append(told)
    )
    assert result.moves.tolist() == list(range(0, 401, 20)) and result.values["energy"].shape == (21, N)
    assert result.stays and result.drift.keys() == result.from_data.keys() == {"energy", "mean", "square"}
    assert (result.values["distance"][0] == 0).all() and result.values["distance"][-1].mean() > 0.9
    assert abs(float(result.final.std()) - 1) < 0.1 and 0.5 < result.accept_rate < 1 and len(seen) == 20
    assert torch.equal(result.frames[0], start())


def test_chains_of_another_model_drift():
    """Data ten times as wide as the model's law, moved slowly."""
    result = long_run(run_of(clean_gaussian, step_size=0.2), start(10.0), transitions=80, records=20)
    assert result.drift["energy"] < -6 and result.drift["square"] < -6 and abs(result.drift["mean"]) < 4
    assert not result.stays


def test_a_drift_that_ends_early_is_seen():
    """Data N(0, .1²), model N(6, 1): chains are at 6 before the first record, so the start alone tells nothing."""
    run = run_of(lambda point: (point.x - 6).square().sum(dim=1) / 2)
    result = long_run(run, start(0.1), transitions=1000, records=20)
    assert all(abs(z) < 4 for z in result.drift.values()) and result.from_data.keys() == result.drift.keys()
    assert all(abs(z) > 20 for z in result.from_data.values()) and not result.stays


def test_data_are_scaled_for_the_energy_and_scaled_back_for_the_statistics():
    run = run_of(lambda point: 50 * (point.x - 0.5).square().sum(dim=1), value_range=(0.0, 1.0), step_size=0.1)
    x = 0.75 + 0.05 * start()  # 0.5 in [−1, 1], where the s.d. of .1 is twice that of the data
    result = long_run(run, x, transitions=100, records=10)
    assert abs(float(result.final.mean()) - 0.75) < 0.01 and float(result.final.std()) == pytest.approx(0.05, rel=0.1)
    assert all(abs(z) < 4 for z in result.drift.values())


class Shift:
    """An augmentation: moves all x by 100 and asks no energy."""

    traits = SamplerTraits(asks_gradient=False)

    def init(self, point, rng, tuning=None):
        return SamplerState(point=point, rng=rng, tuning={})

    def step(self, view, state, *, tail=None):
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(state.point)), n_moves=0, n_gradients=0)
        return replace(state, point=state.point.replace(x=state.point.x + 100)), info


def test_nothing_augments_and_what_leaves_data_is_held():
    """The sampler of training augments and draws the level; a long run does neither."""
    mala = build("sampler", "mala", moves=2, step_size=0.7)
    everything = Sequence([Shift(), mala, DrawsLevel()])
    result = long_run(model_of(clean_gaussian, Noise(), sampler=everything), start(), transitions=40, records=4)
    assert float(result.final.abs().max()) < 10 and result.moves.tolist() == [0, 20, 40, 60, 80]


class DrawsLevel(Shift):
    traits = SamplerTraits(moves=frozenset({"noise"}), asks_gradient=False, adjusted=True)

    def step(self, view, state, *, tail=None):
        raise AssertionError


def test_cold_unadjusted_moves_have_no_acceptance():
    sgld = build("sampler", "sgld", moves=5, step_size=0.1, noise=0.001)
    result = long_run(model_of(lambda p: p.x.square().sum(dim=1) / 2, sampler=sgld), start(), transitions=40)
    assert result.accept_rate is None and result.from_data["square"] < -4, "they fall to the mode"


@pytest.mark.parametrize(
    ("config", "message"), [({"transitions": 0}, "transitions"), ({"records": 3, "transitions": 9}, "records")]
)
def test_counts_must_make_sense(config, message):
    with pytest.raises(RecipeError, match=message):
        long_run(run_of(clean_gaussian), start(), **config)


def test_data_of_another_shape_and_what_is_not_finite_are_refused():
    with pytest.raises(CapabilityError, match=r"\(3,\)"):
        long_run(run_of(clean_gaussian), torch.zeros(4, 3), transitions=4)
    with pytest.raises(DataError, match="not finite"):
        long_run(run_of(clean_gaussian), torch.full((4, 2), torch.nan), transitions=4)
    with pytest.raises(DivergenceError, match="energy of a chain is not finite"):
        long_run(run_of(lambda p: p.x[:, 0] * torch.nan), start(), transitions=4)


def labelled(point):
    """A Gaussian of s.d. 1 about the label."""
    return (point.x - point.aux["label"][:, None]).square().sum(dim=1) / 2


def test_a_label_is_that_of_the_datum_or_given():
    run, config = run_of(labelled, Label(3), noise=False), {"transitions": 80, "records": 4}
    labels = torch.arange(N) % 3
    x = start() + labels[:, None]
    for result in (
        long_run(run, Batch(x=x, y=labels), **config),
        long_run(run, x, given={"label": labels}, **config),
    ):
        for label in range(3):
            assert float(result.final[labels == label].mean()) == pytest.approx(label, abs=0.3)
        assert all(abs(z) < 5 for z in result.drift.values())
    for one in (torch.tensor(2), torch.tensor([2])):
        result = long_run(run, start() + 2, given={"label": one}, **config)
        assert float(result.final.mean()) == pytest.approx(2, abs=0.2)


def test_what_is_given_must_be_what_there_is():
    run = run_of(labelled, Label(3), Momentum())
    with pytest.raises(DataError, match="needs labels"):
        long_run(run, start(), transitions=4)
    with pytest.raises(RecipeError, match="given names noise, but a long run can hold label, momentum"):
        long_run(run, start(), transitions=4, given={"noise": torch.tensor(0)})
    with pytest.raises(CapabilityError, match=f"given label has 3 rows, but start {N}"):
        long_run(run, start(), transitions=4, given={"label": torch.zeros(3)})


def test_the_drift_is_counted_in_standard_errors_of_independent_chains():
    series = torch.randn(41, 2000, generator=torch.Generator().manual_seed(0)).double()
    assert abs(drift_z(series)) < 4
    moved = series + torch.linspace(0, 0.2, 41)[:, None]
    quarter = (series[-10:].mean(dim=0) - series[1:11].mean(dim=0)).std() / 2000**0.5
    assert drift_z(moved) - drift_z(series) == pytest.approx(0.2 * 30 / 40 / float(quarter), rel=1e-3)


def test_the_end_is_compared_with_the_data_chain_by_chain():
    series = torch.randn(41, 2000, generator=torch.Generator().manual_seed(0)).double()
    assert abs(from_data_z(series)) < 4
    moved = series + 0.2 * (torch.arange(41) > 0)[:, None]  # before the first quarter
    error = (series[-10:].mean(dim=0) - series[0]).std() / 2000**0.5
    assert from_data_z(moved) - from_data_z(series) == pytest.approx(0.2 / float(error), rel=1e-6)
    assert drift_z(moved) == pytest.approx(drift_z(series))
