"""The known laws are what they say: draws against exact expectations, energies against draws, at T and above."""

from __future__ import annotations

import pytest
import torch

from ebmkit import Point
from ebmkit.assembly.build import build
from ebmkit.testing import targets
from ebmkit.testing.law import Law, seeded
from ebmkit.testing.starts import Scaled
from ebmkit.testing.statistics import Deviation, deviations, first_entry, histogram_z, limit, mean_off, worst
from ebmkit.testing.targets import DISCRETE_LAWS, LAWS, box, joint, noise
from ebmkit.views.view import view

EVERY = (*LAWS, *DISCRETE_LAWS, noise)


def named(value: object) -> str:
    return value.name if isinstance(value, Law) else str(value)


@pytest.mark.parametrize("law", EVERY, ids=named)
def test_exact_draws_of_a_law_have_its_moments(law: Law) -> None:
    assert max(abs(z) for z in law.z_scores(law.draw(100_000, seeded(3))).values()) < law.threshold()


@pytest.mark.parametrize("ratio", [1.0, 1.7, 4.0])
@pytest.mark.parametrize("law", LAWS, ids=named)
def test_replicas_are_draws_of_the_energy_over_their_temperature(law: Law, ratio: float) -> None:
    """They stay where they are under an exact sampler of E/τ, and are elsewhere than the law itself unless τ is 1."""
    start = law.draw(20_000, seeded(1))
    hot = start.replace(x=law.draw_hot(start, ratio, seeded(2)))
    sampler = build("sampler", "mala", context=law.context(), moves=20, step_size=law.step)
    after, _ = sampler.step(view(Scaled(law.energy, 1 / ratio)), sampler.init(hot, seeded(3)))
    again = start.replace(x=law.draw_hot(start, ratio, seeded(4)))
    assert abs(histogram_z(law.energy(after.point), law.energy(again))) < limit(2)
    assert abs(histogram_z(first_entry(after.point), first_entry(again))) < limit(2)
    assert (abs(histogram_z(law.energy(hot), law.energy(start))) > limit(2)) == (ratio != 1.0)


@pytest.mark.parametrize("law", DISCRETE_LAWS, ids=named)
def test_colder_lattices_are_of_lower_energy(law: Law) -> None:
    start = law.draw(50_000, seeded(1))
    weight = torch.exp(-0.5 * law.energy(start).double())  # from p² to p
    squared = start.replace(x=law.draw_hot(start, 0.5, seeded(2)))
    plain = law.energy(start).double().mul(weight).mean() / weight.mean()
    assert torch.isfinite(plain) and law.energy(squared).mean() < law.energy(start).mean()
    assert abs(histogram_z(law.energy(start), law.energy(start.replace(x=law.draw_hot(start, 1.0, seeded(3)))))) < 6


def test_replicas_of_a_joint_law_keep_their_level() -> None:
    start = joint.draw(30_000, seeded(0))
    x = joint.draw_hot(start, 4.0, seeded(1))
    at_zero = x[start.aux["level"] == 0]
    assert abs(float(at_zero.mean()) + 1.0) < 0.03 and abs(float(at_zero.std()) - 2 * 0.4) < 0.03


def test_the_box_has_mass_at_its_walls() -> None:
    x = box.draw(20_000, seeded(0)).x
    assert float((x[:, 0] > 0.98).float().mean()) > 2 * 0.02 and float((x[:, 2] < 0.02).float().mean()) > 1.5 * 0.02


def test_a_mean_that_is_off_is_told_in_its_own_units() -> None:
    off = mean_off(torch.tensor([1.0, 2.0, 3.0, 2.0]), 1.0)
    assert str(off) == "2 ± 0.41 and must be 1: 2.4 standard errors off"
    assert str(Deviation(z=-3.0)) == "3.0 standard errors off"
    assert worst({"a": off, "b": mean_off(torch.ones(3), 2.0)})[0] == "b", "a constant that is wrong is furthest off"


def test_what_is_not_a_law_is_seen() -> None:
    wide = Point(x=1.05 * targets.gaussian.draw(20_000, seeded(0)).x)
    found = deviations(targets.gaussian, wide)
    assert worst(found)[1].size > limit(len(found))


def test_every_public_law_is_named_on_the_page() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
    for law in EVERY:
        assert f"`{law.name.replace('-', '_')}`" in page, f"docs/conformance.md does not name {law.name}"
