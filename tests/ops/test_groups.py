"""Laws of rows in groups; what is trimmed is a law of contrastive divergence too."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit.ops.groups import trimmed_weights


@settings(max_examples=40)
@given(n=st.integers(1, 40), low=st.floats(0, 0.49), high=st.floats(0, 0.49), seed=st.integers(0, 999))
def test_every_group_keeps_its_share_of_the_weight(n: int, low: float, high: float, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    values, group = torch.randn(n, generator=draw, dtype=torch.float64), torch.randint(5, (n,), generator=draw)
    found = trimmed_weights(values, group, values, group, lowest=low, highest=high, n_groups=5)
    for g in range(5):
        rows = group == g
        assert abs(float(found[rows].sum()) - int(rows.sum())) < 1e-9
        outer = values[rows & (found == 0)]
        inner = values[rows & (found > 0)]
        assert len(outer) == int(low * len(rows[rows]) + 1e-6) + int(high * len(rows[rows]) + 1e-6)
        assert not bool(((outer > inner.min()) & (outer < inner.max())).any()) if len(inner) else True


def test_equal_values_are_kept_together_whatever_their_order() -> None:
    values, group = torch.tensor([2.0, 2.0, 2.0, 5.0]), torch.zeros(4, dtype=torch.long)
    for order in (torch.arange(4), torch.tensor([3, 1, 0, 2])):
        found = trimmed_weights(values[order], group, values[order], group, lowest=0.25, highest=0.25)
        assert torch.equal(found > 0, values[order] == 2)
