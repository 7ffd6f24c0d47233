"""Laws of `ebmkit.energy(module)`."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ebmkit.energies.wrap import energy
from ebmkit.errors import CapabilityError
from ebmkit.point import Point

POINT = Point(x=torch.randn(4, 2, generator=torch.Generator().manual_seed(0)), aux={"label": torch.zeros(4)})


@given(classes=st.integers(2, 6))
def test_logits_become_minus_their_logsumexp(classes: int) -> None:
    module = nn.Linear(2, classes)
    torch.testing.assert_close(energy(module)(POINT), -module(POINT.x).exp().sum(dim=1).log())


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_energies_are_taken_as_they_are(shape: tuple[int, ...]) -> None:
    values = POINT.x[:, 0].reshape(shape)
    assert torch.equal(energy(lambda x: values)(POINT), POINT.x[:, 0])


def test_one_logit_is_a_logit_when_asked() -> None:
    torch.testing.assert_close(energy(lambda x: x[:, :1], output="logits")(POINT), -POINT.x[:, 0])


def test_a_batch_as_large_as_the_classes_is_not_confused() -> None:
    logits = torch.randn(4, 4)
    torch.testing.assert_close(energy(lambda x: logits)(POINT), -torch.logsumexp(logits, dim=1))


@pytest.mark.parametrize(
    ("shape", "output"), [((4, 2, 2), "auto"), ((), "auto"), ((4, 3), "energy"), ((4,), "logits"), ((3,), "auto")]
)
def test_other_shapes_are_refused(shape: tuple[int, ...], output: str) -> None:
    with pytest.raises(CapabilityError, match="_Callable returned shape"):
        energy(lambda x: torch.zeros(shape), output=output)(POINT)  # type: ignore[arg-type]


def test_an_unknown_output_is_refused() -> None:
    with pytest.raises(CapabilityError, match="softmax"):
        energy(nn.Linear(2, 2), output="softmax")  # type: ignore[arg-type]


def test_the_modules_parameters_train_and_precision_is_kept() -> None:
    module = nn.Linear(2, 3)
    energy(module)(POINT).sum().backward()
    assert module.weight.grad is not None and next(iter(energy(module).parameters())) is module.weight
    double = energy(module.double())(POINT.replace(x=POINT.x.double()))
    assert (
        double.dtype == torch.float64
        and energy(lambda x: x.half())(POINT.replace(x=POINT.x[:, :1])).dtype == torch.float32
    )
