"""Laws of plans: what is asked, what the recipe says, and what does not apply."""

from __future__ import annotations

import pytest

from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.recipes.tables import SampleConfig
from ebmkit.sampling.plan import ENOUGH_VISITS, Plan, plan_of
from tests.sampling.test_generate import Scripted, mala, noisy_run, run_of


def test_plans() -> None:
    still, noisy = run_of(mala()), noisy_run(Scripted())
    free: frozenset[str] = frozenset()
    assert plan_of(still, free) == Plan(visits=0, transitions=10, plain_transitions=0)
    assert plan_of(noisy, free) == Plan(visits=10, transitions=3000, plain_transitions=0)
    assert plan_of(noisy_run(Scripted(), sample={"transitions": 7, "visits": 3}), free).transitions == 7
    assert plan_of(still, free, plain_transitions=4) == Plan(visits=0, transitions=10, plain_transitions=4)
    wrong = {"transitions": 0, "visits": 0, "plain_transitions": -1}
    for name, value in wrong.items():
        with pytest.raises(RecipeError, match=f"{name} of at least"):
            plan_of(still, free, **{name: value})
        with pytest.raises(RecipeError, match=f"{name} = 1,000,000,000,000 can only be a slip"):
            plan_of(still, free, **{name: 10**12})
    with pytest.raises(RecipeError, match=r"visits = 1 has no effect.*at data all the time"):
        plan_of(still, free, visits=1)
    with pytest.raises(RecipeError, match=r"plain_transitions = 1 has no effect.*which noise decides"):
        plan_of(noisy, free, plain_transitions=1)
    with pytest.raises(CapabilityError, match=r"no part of the sampler moves noise.*--given noise="):
        plan_of(noisy_run(mala()), free)
    assert plan_of(noisy_run(mala()), frozenset({"noise"})).visits == 0


def test_a_plan_says_when_it_is_biased() -> None:
    biased = [m for m in range(60) if Plan(visits=m, transitions=1, plain_transitions=0).bias()]
    assert biased == list(range(1, ENOUGH_VISITS)) and SampleConfig().visits == ENOUGH_VISITS
