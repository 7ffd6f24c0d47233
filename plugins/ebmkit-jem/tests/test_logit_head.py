"""The head in whole models: what it gives and hides, its conditional samples, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ebmkit_jem.logit_head import LABELS, LOGITS, LogitHead
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import ebmkit
from ebmkit import BuildContext, CapabilityError, DataError, Point, RecipeError, values_of, view
from ebmkit.coordinates.label import Label
from ebmkit.rng import stream
from ebmkit.sampling.sample import sample
from ebmkit.testing import strategies
from ebmkit.testing.strategies import REPEATABLE


def head(shape: tuple[int, ...] = (2,), n_classes: int = 3, **energy: Any) -> Any:
    context = BuildContext(event_shape=shape, n_classes=n_classes)
    inner = ebmkit.build("energy", "mlp", context=context, widths=(8,), **energy)
    return ebmkit.build("wrapper", "logit-head", context=context.replace(inner=inner))


@REPEATABLE
@given(shape=strategies.event_shapes(), n_classes=st.integers(2, 5), rows=st.integers(1, 4))
def test_any_shape_and_number_of_classes(shape: tuple[int, ...], n_classes: int, rows: int) -> None:
    energy = head(shape, n_classes)
    x = torch.randn(rows, *shape, generator=stream(0, 0, "x"))
    label = torch.arange(rows) % n_classes
    found = values_of(energy, Point(x=x), "energy", LOGITS, LABELS, "features")
    assert found[LOGITS].shape == found[LABELS].shape == (rows, n_classes)
    assert torch.allclose(found["energy"], -torch.logsumexp(found[LOGITS], dim=1))
    with_class = energy(Point(x=x, aux={"label": label}))
    assert torch.allclose(with_class, -found[LOGITS].gather(1, label[:, None])[:, 0])


def test_logits_do_not_know_the_class_of_their_point() -> None:
    energy, x = head(), torch.randn(5, 2, generator=stream(0, 0, "x"))
    one, other = (energy.logits(Point(x=x, aux={"label": torch.full((5,), y)})) for y in (0, 2))
    assert torch.equal(one, other)


def test_what_it_gives_has_a_graph_to_the_backbone_and_to_the_head() -> None:
    energy = head()
    energy(Point(x=torch.ones(2, 2))).sum().backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in (energy.linear.weight, energy.inner.layers[0].weight))


# --- bad input


def test_data_without_labels_are_refused_before_a_run_begins(tmp_path: Path) -> None:
    x = torch.randn(40, 2, generator=stream(0, 0, "x"))
    with pytest.raises(DataError, match="labels"):
        ebmkit.fit("mlp", x, objective="jem", steps=1, progress=False)
    with pytest.raises(DataError, match="all labels of the data are of one class: choose"):
        ebmkit.fit("mlp", (x, torch.zeros(40, dtype=torch.int64)), objective="jem", steps=1, progress=False)
    asked = {"data": {"use": "toy-discrete"}, "energy": {"use": "mlp"}, "objective": [{"use": "jem"}]}
    with pytest.raises(DataError, match=r"as jem learns them.*no labels: choose a data set with labels"):
        ebmkit.run({**asked, "sampler": [{"use": "gibbs-with-gradients"}]}, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(DataError, match=r"jem learns p\(y \| x\) from labels"):
        ebmkit.build("objective", "jem", context=BuildContext())


def test_an_energy_without_logits_is_refused_and_told_what_gives_them() -> None:
    def energy(point: Point) -> Tensor:
        return point.x.sum(dim=1)

    with pytest.raises(CapabilityError, match=r"gives none: add --wrapper logit-head.*\[B, 4\]"):
        ebmkit.build("objective", "jem", context=BuildContext(inner=energy, n_classes=4))
    with pytest.raises(CapabilityError, match=r"abilities 'energy' and 'logits'.*needs no head"):
        ebmkit.fit(nn.Linear(2, 1), (torch.randn(40, 2), torch.arange(40) % 2), objective="jem", steps=1)
    with pytest.raises(CapabilityError, match="features"):
        ebmkit.build("wrapper", "logit-head", context=BuildContext(inner=energy, n_classes=4, event_shape=(2,)))


def test_a_backbone_that_sees_the_class_is_refused() -> None:
    context = BuildContext(event_shape=(2,), n_classes=3, coordinates=(Label(3),))
    inner = ebmkit.build("energy", "mlp", context=context, labels=True)
    with pytest.raises(CapabilityError, match=r"set energy\.labels = false"):
        ebmkit.build("wrapper", "logit-head", context=context.replace(inner=inner))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(RecipeError, match="weight"):
        ebmkit.build("objective", "jem", context=BuildContext(n_classes=3), weight=weight)


def test_a_label_as_a_coordinate_counts_the_classes_twice_and_is_refused(tmp_path: Path) -> None:
    asked = {"data": {"use": "toy"}, "objective": [{"use": "jem"}], "coordinate": [{"use": "label"}]}
    with pytest.raises(CapabilityError, match=r"has the cross-entropy in it already.*--wrapper logit-head"):
        ebmkit.run(asked, tmp_path / "run")


# --- models

SMALL: dict[str, Any] = {"steps": 3, "batch_size": 8, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def moons() -> Any:
    return ebmkit.fit("mlp", "toy:moons", objective="jem", sampler="mala", **{**SMALL, "steps": 40, "batch_size": 64})


def test_samples_are_given_a_class_without_a_coordinate(moons: Any) -> None:
    assert [c.name for c in moons.coordinates] == []
    made = moons.sample(40, given={"label": "1"}, transitions=5, progress=False)
    each = moons.sample(40, given={"label": "all"}, transitions=5, progress=False)
    assert set(made.names) == {"class 1"} and [each.names.count(f"class {y}") for y in (0, 1)] == [20, 20]


class Powers(torch.nn.Module):
    """Features x and x² of a number x: with them logits are Gaussians of any mean and weight."""

    abilities = frozenset({"energy", "features"})

    def features(self, point: Point) -> Tensor:
        return torch.cat([point.x, point.x.square()], dim=1)

    def forward(self, point: Point) -> Tensor:
        return point.x[:, 0]


def test_chains_that_are_given_a_class_have_its_law() -> None:
    means, chosen = torch.tensor([-1.0, 2.0]), torch.arange(4000) % 2
    energy = LogitHead(Powers(), n_features=2, n_classes=2)
    with torch.no_grad():  # f(x)[y] = −(x − m_y)²/2 + log w_y
        energy.linear.weight.copy_(torch.stack([means, torch.full((2,), -0.5)], dim=1))
        energy.linear.bias.copy_(torch.tensor([0.8, 0.2]).log() - means.square() / 2)
    sampler = ebmkit.build("sampler", "mala", context=BuildContext(event_shape=(1,)), moves=10)
    rng = stream(0, 0, "start")

    def ends(point: Point) -> Tensor:
        return sample(view(energy), sampler, point, transitions=1, burn_in=40, seed=1, progress=False).final.x[:, 0]

    start = torch.randn(4000, 1, generator=rng) * 2
    given = ends(Point(x=start, aux={"label": chosen}))
    for y in (0, 1):
        assert float(given[chosen == y].mean()) == pytest.approx(float(means[y]), abs=0.12)
        assert float(given[chosen == y].std()) == pytest.approx(1, abs=0.08)
    at = torch.linspace(-4, 5, 50)[:, None]
    apart = (at - means).square() / -2 + torch.tensor([0.8, 0.2]).log()
    assert torch.allclose(energy(Point(x=at)), -torch.logsumexp(apart, dim=1), atol=1e-4), "without one: the mixture"


def test_a_class_that_is_none_is_named(moons: Any) -> None:
    with pytest.raises(RecipeError, match="label=7"):
        moons.sample(4, given={"label": "7"}, progress=False)


def test_calibration_is_measured(moons: Any) -> None:
    found = ebmkit.evaluate(moons, "calibration", n=50, n_data=400, transitions=2).metrics[0].estimates
    assert found["accuracy: held-out data"].value > 0.8
    assert 0 <= found["calibration error: held-out data"].value < 0.3
    assert found["confidence: samples"].n == 50
    assert all(each.error is not None and each.error > 0 for each in found.values())


def test_calibration_is_repeatable_and_leaves_the_model_as_it_is(moons: Any) -> None:
    before = {name: value.clone() for name, value in moons.energy.state_dict().items()}
    one, other = (ebmkit.evaluate(moons, "calibration", n=20, n_data=100, transitions=1).metrics[0] for _ in range(2))
    assert {name: (e.value, e.error) for name, e in one.estimates.items()} == {
        name: (e.value, e.error) for name, e in other.estimates.items()
    }
    assert all(torch.equal(value, before[name]) for name, value in moons.energy.state_dict().items())


def test_calibration_of_a_model_without_logits_says_what_to_train_with() -> None:
    plain = ebmkit.fit("mlp", "toy:moons", sampler="mala", **SMALL)
    with pytest.raises(CapabilityError, match="--objective jem"):
        ebmkit.evaluate(plain, "calibration")


def test_the_label_as_a_coordinate_trains_the_joint_law() -> None:
    model = ebmkit.fit("mlp", "toy:moons", wrapper="logit-head", coordinate="label", sampler="mala+gibbs", **SMALL)
    assert [c.name for c in model.coordinates] == ["label"]
    assert LOGITS in model.energy.abilities


def test_it_trains_images_at_the_temperature_of_the_moves() -> None:
    small = ebmkit.energies.ResNet(widths=(4, 4), hidden=8)
    model = ebmkit.fit(small, ebmkit.data.FashionMini(limit=32), objective="jem", sampler="sgld", **SMALL)
    made = model.sample(10, given={"label": "Bag"}, transitions=1, progress=False)
    assert set(made.names) == {"Bag"} and model.temperature < 0.1
