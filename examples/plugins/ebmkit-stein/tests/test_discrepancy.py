"""The oracle: the mean of the Stein kernel is 0 under the model, and the least discrepancy finds a Gaussian."""

import pytest
import torch
from ebmkit_stein import Stein
from ebmkit_stein.discrepancy import discrepancy, stein_kernel

import ebmkit

MEAN, PRECISION = torch.tensor([1.0, -0.5]), torch.tensor([[2.0, 0.6], [0.6, 1.0]])


def data(n: int) -> torch.Tensor:
    noise = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return MEAN + noise @ torch.linalg.cholesky(PRECISION.inverse()).T


class Gaussian(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean, self.root = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.eye(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x - self.mean) @ self.root).square().sum(1) / 2


def test_the_kernel_is_what_differentiation_says_it_is() -> None:
    x, score = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)

    def k(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (0.7**2 + (a - b).square().sum()) ** -0.3

    first, second = torch.func.grad(k, 0)(x[0], x[1]), torch.func.grad(k, 1)(x[0], x[1])
    mixed = torch.func.jacfwd(torch.func.grad(k, 0), 1)(x[0], x[1]).trace()
    wanted = score[0] @ score[1] * k(x[0], x[1]) + score[0] @ second + score[1] @ first + mixed
    torch.testing.assert_close(stein_kernel(x, score, 0.7, -0.3)[0, 1], wanted)


def test_it_is_zero_at_the_truth_and_not_beside_it() -> None:
    x = data(2_000)
    right = -(x - MEAN) @ PRECISION
    assert abs(discrepancy(x, right, 1.0, -0.5)) < 0.005
    assert discrepancy(x, right + 0.5, 1.0, -0.5) > 0.05
    assert discrepancy(x, 1.5 * right, 1.0, -0.5) > 0.03


def test_a_gaussian_is_recovered() -> None:
    net = Gaussian()
    ebmkit.fit(
        net, data(2_000), objective=Stein(), steps=300, batch_size=256, lr=0.05, progress=False,
        settings={"optim.energy.schedule": "cosine"},
    )  # fmt: skip
    torch.testing.assert_close(net.mean.data, MEAN, atol=0.1, rtol=0)
    torch.testing.assert_close(net.root.data @ net.root.data.T, PRECISION, atol=0.2, rtol=0)


def test_it_refuses_what_it_cannot_fit() -> None:
    with pytest.raises(ebmkit.CapabilityError, match=r"leave run\.temperature unset"):
        ebmkit.fit("mlp", data(64), objective=Stein(), temperature=2.0, steps=1, progress=False)
