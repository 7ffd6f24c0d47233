from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import ebmkit
from ebmkit.views.freshness import Freshness

Step = Callable[[nn.Module], None]


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 4), nn.SiLU(), nn.Linear(4, 1))


def by(optimiser: type[torch.optim.Optimizer], **settings: object) -> Step:
    def step(module: nn.Module) -> None:
        made = optimiser(module.parameters(), lr=0.1, **settings)  # type: ignore[call-arg, arg-type]
        made.zero_grad()
        module(torch.ones(3, 2)).sum().backward()
        made.step()

    return step


def by_hand(module: nn.Module) -> None:
    module.zero_grad()
    module(torch.ones(3, 2)).sum().backward()
    for p in module.parameters():
        assert p.grad is not None
        p.data -= 0.1 * p.grad


def in_place(module: nn.Module) -> None:
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(0.5)


def loaded(module: nn.Module) -> None:
    module.load_state_dict({name: 2 * value for name, value in module.state_dict().items()})


def moved(module: nn.Module) -> None:
    for p in module.parameters():
        p.data = 0.5 * p.data


def from_a_vector(module: nn.Module) -> None:
    n = sum(p.numel() for p in module.parameters())
    nn.utils.vector_to_parameters(torch.linspace(-1, 1, n) * module[0].weight.norm(), module.parameters())  # type: ignore[index]


CHANGES: dict[str, Step] = {
    "adam": by(torch.optim.Adam),
    "fused adam": by(torch.optim.Adam, fused=True),
    "sgd": by(torch.optim.SGD),
    "through .data": by_hand,
    "in place": in_place,
    "loaded": loaded,
    "in other memory": moved,
    "from a vector": from_a_vector,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("repeats", [1, 2])
def test_a_view_follows_its_module_by_itself(change: str, repeats: int) -> None:
    module = network()
    energy = ebmkit.energy(module)
    view, point = ebmkit.view(energy), ebmkit.Point(x=torch.randn(5, 2))
    before = view.energy(point), view.gradient(point)
    for _ in range(repeats):
        CHANGES[change](module)
        now = view.energy(point), view.gradient(point)
        assert torch.equal(now[0], energy(point).detach())
        assert not torch.equal(now[0], before[0]) and not torch.equal(now[1], before[1])
        before = now


def test_weights_that_nobody_changed_are_fresh() -> None:
    module = network()
    freshness = Freshness(module)
    module(torch.ones(3, 2)).sum()
    assert not freshness.is_stale()
    module(torch.ones(3, 2)).sum().backward()
    assert freshness.is_stale()
    freshness.mark()
    assert not freshness.is_stale()


def test_another_gradient_at_the_same_place_counts() -> None:
    module = network()
    module(torch.ones(3, 2)).sum().backward()
    freshness = Freshness(module)
    seen: list[Tensor | None] = []
    for _ in range(20):
        module.zero_grad()
        module(torch.randn(3, 2)).sum().backward()
        seen.append(next(module.parameters()).grad)
        assert freshness.is_stale()
        freshness.mark()
        seen.clear()


def test_running_means_are_followed() -> None:
    module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    energy, point = ebmkit.energy(module), ebmkit.Point(x=torch.randn(3, 2))
    seen = ebmkit.view(energy)
    seen.energy(point)
    module.train()(10 + torch.randn(20, 2))
    module.eval()
    assert torch.equal(seen.energy(point), energy(point))


def test_another_tensor_in_the_place_of_a_weight_is_refused() -> None:
    module = nn.Linear(2, 1)
    seen, point = ebmkit.view(ebmkit.energy(module)), ebmkit.Point(x=torch.randn(3, 2))
    seen.energy(point)
    module.weight = nn.Parameter(torch.ones(1, 2))
    with pytest.raises(ebmkit.CapabilityError, match="make a new view"):
        seen.energy(point)


def test_vectors_of_spectral_norm_are_no_weights() -> None:
    module = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(2, 4)), nn.Linear(4, 1))
    freshness = Freshness(module)
    module(torch.ones(3, 2))
    assert not freshness.is_stale()
    module(torch.ones(3, 2)).sum().backward()
    assert freshness.is_stale()
