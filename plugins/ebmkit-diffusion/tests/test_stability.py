"""Laws of the long-run test."""

import ebmkit_diffusion
import pytest
import torch
from ebmkit_diffusion.stability import drift_z, from_data_z, tuned_step

from ebmkit import BuildContext, DivergenceError
from ebmkit.assembly.build import build
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.recipes.recipe import Recipe
from ebmkit.sampling.model import Model

N = 400


def run_of(energy, tuning=None, value_range=None, *others):
    context = BuildContext(event_shape=(2,), value_range=value_range, n_classes=3)
    level = build("coordinate", "level", context=context, noise_levels=3)
    others = tuple(build("coordinate", name, context=context) for name in others)
    return Model(
        recipe=Recipe(tables={"run": {"temperature": 1.0, "precision": "fp32"}}), energy=energy,
        sampler=None, objectives={}, coordinates=(level, *others), step=0, device=torch.device("cpu"),
        tuning=tuning or {},
        data=DataSpec(event_shape=(2,), value_range=value_range, n_classes=0, class_names=(), n_data=10),
    )  # fmt: skip


def clean_gaussian(point):
    assert (point.aux["level"] == 0).all()
    return point.x.square().sum(dim=1) / 2


def start(scale=1.0):
    return scale * torch.randn(N, 2, generator=torch.Generator().manual_seed(0))


def test_chains_of_the_right_model_do_not_drift():
    seen = []
    result = ebmkit_diffusion.long_run(
        run_of(clean_gaussian), start(), moves=400, records=20, step_size=0.7, watch=lambda *told: seen.append(told)
    )
    assert result.moves.tolist() == list(range(0, 401, 20)) and result.values["energy"].shape == (21, N)
    assert result.stays and result.drift.keys() == result.from_data.keys() == {"energy", "mean", "square"}
    assert (result.values["distance"][0] == 0).all() and result.values["distance"][-1].mean() > 0.9
    assert abs(float(result.final.std()) - 1) < 0.1 and 0.5 < result.accept_rate < 1 and len(seen) == 21


def test_chains_of_another_model_drift():
    """Data ten times as wide as the model's law, moved slowly."""
    result = ebmkit_diffusion.long_run(run_of(clean_gaussian), start(10.0), moves=80, records=20, step_size=0.2)
    assert result.drift["energy"] < -6 and result.drift["square"] < -6 and abs(result.drift["mean"]) < 4
    assert not result.stays


def test_a_drift_that_ends_early_is_seen():
    """Data N(0, .1²), model N(6, 1): chains are at 6 before the first record."""
    run = run_of(lambda point: (point.x - 6).square().sum(dim=1) / 2)
    result = ebmkit_diffusion.long_run(run, start(0.1), moves=1000, records=20, step_size=0.7)
    assert all(abs(z) < 4 for z in result.drift.values()) and result.from_data.keys() == result.drift.keys()
    assert all(abs(z) > 20 for z in result.from_data.values()) and not result.stays


def test_data_are_scaled_for_the_energy_and_scaled_back_for_the_statistics():
    run = run_of(lambda point: 50 * (point.x - 0.5).square().sum(dim=1), value_range=(0.0, 1.0))
    x = 0.75 + 0.05 * start()  # 0.5 in [−1, 1], where the s.d. of .1 is twice that of the data
    result = ebmkit_diffusion.long_run(run, x, moves=100, records=10, step_size=0.1)
    assert abs(float(result.final.mean()) - 0.75) < 0.01 and float(result.final.std()) == pytest.approx(0.05, rel=0.1)
    assert all(abs(z) < 4 for z in result.drift.values())


def test_the_step_is_that_which_training_adapted_level_zero_to():
    tuning = {"0": {"step_size": torch.tensor([0.3, 0.9])}, "1": {}, "levels": {"tried": torch.ones(2)}}
    assert tuned_step(tuning) == pytest.approx(0.3)
    result = ebmkit_diffusion.long_run(run_of(clean_gaussian, tuning), start(), moves=4, records=4)
    assert result.step_size == pytest.approx(0.3)
    with pytest.raises(RecipeError, match="give step_size"):
        ebmkit_diffusion.long_run(run_of(clean_gaussian), start(), moves=4, records=4)


@pytest.mark.parametrize(("config", "message"), [({"moves": 0}, "moves"), ({"records": 3}, "records")])
def test_counts_must_make_sense(config, message):
    with pytest.raises(RecipeError, match=message):
        ebmkit_diffusion.long_run(run_of(clean_gaussian), start(), step_size=0.1, **config)


def test_data_of_another_shape_and_an_energy_that_is_not_finite_are_refused():
    with pytest.raises(CapabilityError, match=r"\(3,\)"):
        ebmkit_diffusion.long_run(run_of(clean_gaussian), torch.zeros(4, 3), step_size=0.1)
    with pytest.raises(DivergenceError, match="after 0 moves"):
        ebmkit_diffusion.long_run(run_of(lambda p: p.x[:, 0] * torch.nan), start(), step_size=0.1)


def labelled(point):
    """A Gaussian of s.d. 1 about the label."""
    return (point.x - point.aux["label"][:, None]).square().sum(dim=1) / 2


def test_a_label_is_given_and_held():
    run, config = run_of(labelled, None, None, "label"), {"moves": 80, "records": 4, "step_size": 0.7}
    labels = torch.arange(N) % 3
    result = ebmkit_diffusion.long_run(run, start() + labels[:, None], given={"label": labels}, **config)
    for label in range(3):
        assert float(result.final[labels == label].mean()) == pytest.approx(label, abs=0.3)
    assert all(abs(z) < 5 for z in result.drift.values())
    for one in (torch.tensor(2), torch.tensor([2])):
        result = ebmkit_diffusion.long_run(run, start() + 2, given={"label": one}, **config)
        assert float(result.final.mean()) == pytest.approx(2, abs=0.2)


def test_what_is_given_must_be_what_there_is():
    run = run_of(labelled, None, None, "label", "momentum")
    with pytest.raises(CapabilityError, match=r"has label beside it: pass given=\{'label': values\}"):
        ebmkit_diffusion.long_run(run, start(), step_size=0.1)
    with pytest.raises(RecipeError, match="given names level, but a long run holds label"):
        ebmkit_diffusion.long_run(run, start(), step_size=0.1, given={"level": torch.tensor(0)})
    with pytest.raises(CapabilityError, match=f"given label has 3 rows, but start {N}"):
        ebmkit_diffusion.long_run(run, start(), step_size=0.1, given={"label": torch.zeros(3)})


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


def test_the_package_gives_it_when_asked():
    assert callable(ebmkit_diffusion.long_run)
    with pytest.raises(AttributeError, match="short_run"):
        ebmkit_diffusion.short_run  # noqa: B018
