"""Laws of the diagnostics; their numbers are ArviZ's."""

from collections.abc import Callable
from math import isnan, nan

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebmkit import DataError
from ebmkit.sampling import diagnostics
from ebmkit.sampling.diagnostics import ess_bulk, ess_tail, r_hat
from ebmkit.sampling.summary import diagnose

STATISTICS = (r_hat, ess_bulk, ess_tail)


def autoregressive(n: int, n_chains: int, memory: float) -> Tensor:
    """Returns draws [n, n_chains] of x ← memory · x + u − ½, from integers alone: the same on every machine."""
    chains, state = [], 1
    for _ in range(n_chains):
        chain, x = [], 0.0
        for _ in range(n):
            state = state * 48271 % 2147483647
            x = memory * x + state / 2147483647 - 0.5
            chain.append(x)
        chains.append(chain)
    return torch.tensor(chains, dtype=torch.float64).T


def drawn(n: int, n_chains: int, kind: str, seed: int) -> Tensor:
    noise = torch.randn(n, n_chains, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for t in range(1, n):
        noise[t] += 0.6 * noise[t - 1]
    return {
        "real": noise,
        "heavy": noise.exp() ** 3,
        "whole": noise.round(),
        "binary": (noise > 0).double(),
        "apart": noise + torch.arange(n_chains),
        "standing": torch.cat([noise[:1].expand(n, n_chains)[:, :1], noise[:, 1:]], dim=1),
    }[kind]


# R-hat, bulk and tail ESS by arviz-stats 0.8.0 (array_stats), and the same by arviz 0.23.4
REFERENCE: dict[str, tuple[Callable[[], Tensor], list[float]]] = {
    "even": (lambda: autoregressive(100, 4, 0.5), [1.01125469248902, 121.1097600059464, 231.32139129230288]),
    "odd": (lambda: autoregressive(51, 3, -0.5), [0.9910807860786949, 326.4136888583522, 111.86121359604361]),
    "short": (lambda: autoregressive(5, 2, 0.0), [2.3180109173339476, 7.224719895935548, 7.224719895935548]),
    "slow": (lambda: autoregressive(300, 2, 0.98), [1.0867247698534117, 14.705310177857962, 34.778153448292606]),
    "one chain": (lambda: autoregressive(60, 1, 0.5), [nan, 13.718180654685241, 37.995768091409225]),
    "ties": (
        lambda: autoregressive(80, 3, 0.5).mul(4).round(),
        [1.0471614073084163, 47.06766791628774, 133.87285520735549],
    ),
    "two values": (
        lambda: (autoregressive(81, 4, 0.8) > 0).double(),
        [1.0633307429523342, 52.18689848429232, 52.18689848429232],
    ),
    "apart": (
        lambda: autoregressive(60, 3, 0.5) + torch.arange(3),
        [2.214866840584825, 4.407105108920376, 67.56113224324457],
    ),
    "constant": (lambda: torch.ones(21, 3), [nan, 60.0, 60.0]),
}


@pytest.mark.parametrize("case", REFERENCE)
def test_the_numbers_are_arvizs(case: str) -> None:
    draws, expected = REFERENCE[case]
    found = [float(statistic(draws())) for statistic in STATISTICS]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)


@settings(max_examples=60)
@given(
    n=st.integers(4, 90), n_chains=st.integers(1, 5), seed=st.integers(0, 10**6),
    kind=st.sampled_from(["real", "heavy", "whole", "binary", "apart", "standing"]),
)  # fmt: skip
def test_arviz_agrees_on_any_draws(n: int, n_chains: int, kind: str, seed: int) -> None:
    arviz = pytest.importorskip("arviz_stats.base").array_stats
    draws = drawn(n, n_chains, kind, seed)
    chains, axes = draws.numpy().T, {"chain_axis": 0, "draw_axis": 1}
    theirs = [
        arviz.rhat(chains, **axes),
        arviz.ess(chains, method="bulk", **axes),
        arviz.ess(chains, method="tail", prob=(0.05, 0.95), **axes),
    ]
    ours = [float(statistic(draws)) for statistic in STATISTICS]
    assert ours == pytest.approx([float(value) for value in theirs], rel=1e-6, abs=1e-6, nan_ok=True)


@settings(max_examples=25)
@given(
    n=st.integers(4, 30), n_chains=st.integers(2, 4), event=st.lists(st.integers(0, 3), max_size=3),
    seed=st.integers(0, 10**6), chunk=st.sampled_from([1, 100, 2**21]),
)  # fmt: skip
def test_each_quantity_is_judged_by_itself(n: int, n_chains: int, event: list[int], seed: int, chunk: int) -> None:
    draws = torch.randn(n, n_chains, *event, generator=torch.Generator().manual_seed(seed))
    for statistic in STATISTICS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(diagnostics, "CHUNK", chunk)
            found = statistic(draws)
        alone = [float(statistic(entry)) for entry in draws.reshape(n, n_chains, found.numel()).unbind(dim=2)]
        assert found.shape == tuple(event) and found.dtype == torch.float64
        assert found.flatten().tolist() == pytest.approx(alone, rel=1e-9)


@settings(max_examples=25)
@given(n=st.integers(4, 40), n_chains=st.integers(2, 4), seed=st.integers(0, 10**6))
def test_order_of_chains_and_units_do_not_matter(n: int, n_chains: int, seed: int) -> None:
    draws = drawn(n, n_chains, "real", seed)
    for statistic in STATISTICS:
        expected = float(statistic(draws))
        assert float(statistic(draws.flip(1))) == pytest.approx(expected, rel=1e-9)
        assert float(statistic(draws * 4)) == pytest.approx(expected, rel=1e-9)
    assert float(ess_bulk(draws.exp())) == pytest.approx(float(ess_bulk(draws)), rel=1e-9)


@pytest.mark.parametrize("value", [nan, "constant"])
def test_one_bad_entry_spoils_no_other(value: float | str) -> None:
    draws = drawn(40, 4, "real", 0)
    bad = torch.full_like(draws, 0.3)
    if value != "constant":
        bad = draws.clone()
        bad[3, 2] = value
    for statistic in STATISTICS:
        both = statistic(torch.stack([draws, bad], dim=2))
        assert float(both[0]) == pytest.approx(float(statistic(draws)))
        assert isnan(both[1]) or (value == "constant" and statistic is not r_hat and both[1] == draws.numel())


def test_chains_that_stand_at_different_places_have_not_mixed() -> None:
    assert r_hat(torch.tensor([0.1, 0.2, 0.3]).expand(20, 3)) == torch.inf


def test_infinite_draws_rank_like_any_other() -> None:
    draws = drawn(40, 4, "real", 0)
    largest = draws.amax()
    assert float(ess_bulk(draws.where(draws < largest, torch.inf))) == pytest.approx(float(ess_bulk(draws)))


@pytest.mark.parametrize(("n", "n_chains"), [(3, 4), (0, 4), (4, 0), (40, 1)])
def test_too_few_draws_or_chains_have_no_r_hat(n: int, n_chains: int) -> None:
    assert r_hat(torch.zeros(n, n_chains, 2)).isnan().all()


def test_draws_without_chains_are_refused() -> None:
    for statistic in STATISTICS:
        with pytest.raises(DataError, match=r"\[draws, chains"):
            statistic(torch.zeros(10))
    with pytest.raises(DataError, match="entries"):
        diagnose(torch.zeros(10, 4, 0), torch.zeros(10, 4), torch.ones(4), 1)


@pytest.mark.parametrize("memory", [-0.5, 0.0, 0.5, 0.9])
def test_a_chain_is_worth_what_theory_says(memory: float) -> None:
    noise = torch.randn(4000, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for t in range(1, len(noise)):
        noise[t] = memory * noise[t - 1] + (1 - memory**2) ** 0.5 * noise[t]
    exact = noise.numel() * (1 - memory) / (1 + memory)
    assert float(ess_bulk(noise)) == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize(
    "change", [lambda x: x + torch.tensor([0.0, 0.0, 0.0, 1.0]), lambda x: x * torch.tensor([1.0, 1.0, 1.0, 3.0])]
)
def test_a_chain_elsewhere_or_of_another_width_shows(change: Callable[[Tensor], Tensor]) -> None:
    draws = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
    assert r_hat(draws) < 1.01 < 1.05 < r_hat(change(draws))


def test_a_diagnosis_reads_well() -> None:
    x = torch.randn(1000, 4, 2, generator=torch.Generator().manual_seed(0))
    found = diagnose(x, x.square().sum(dim=2) / 2, torch.full((4,), 0.7), 5000)
    text = str(found)
    assert found.is_reliable and "Not reliable" not in text and "4 chains × 1,000 draws, 5,000 gradients" in text
    assert found.ess_per_1000_gradients == pytest.approx(1000 * found.least_ess / 20000)
    assert found.energy == pytest.approx(1, abs=0.1)
    apart = str(diagnose(x + torch.arange(4)[:, None] * torch.tensor([0, 1]), x[..., 0], torch.ones(4), 0))
    assert "at [1]" in apart and "Not reliable" in apart and "1,000 gradients  inf" in apart
    standing = diagnose(x * torch.tensor([0, 1]), x[..., 0], torch.ones(4), 1)
    assert not standing.is_reliable and "No R-hat for 1 of 2 entries" in str(standing)
