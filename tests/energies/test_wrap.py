"""Laws of `ebmkit.energy(module)`."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ebmkit.energies.declarations import MlpConfig
from ebmkit.energies.mlp import build_mlp
from ebmkit.energies.wrap import as_energy, energy
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
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
    with pytest.raises(CapabilityError, match="The function returned shape"):
        energy(lambda x: torch.zeros(shape), output=output)(POINT)  # type: ignore[arg-type]


def test_a_log_density_is_the_negative_of_its_energy() -> None:
    log_p = energy(lambda x: -x.square().sum(dim=1) / 2, output="log_density")
    torch.testing.assert_close(log_p(POINT), POINT.x.square().sum(dim=1) / 2)
    one_by_one = energy(torch.vmap(lambda x: -x.square().sum() / 2), output="log_density")
    torch.testing.assert_close(one_by_one(POINT), POINT.x.square().sum(dim=1) / 2)


def test_what_returns_no_tensor_is_refused() -> None:
    with pytest.raises(CapabilityError, match="returned float for 4 rows; an energy is a tensor"):
        energy(lambda x: 1.0)(POINT)  # type: ignore[arg-type,return-value]


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


class OverPoints(nn.Module):
    """An energy over points that says nothing of itself."""

    def forward(self, point: Point) -> Tensor:
        return point.x.square().sum(dim=1) + point.aux["label"]


class Noisy(nn.Module):
    """A network over x whose every pass draws random numbers and, in training, changes its buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        value: Tensor = self.layers(x)
        self.calls += 1
        torch.randn(3)
        return value


@pytest.mark.parametrize(
    "given",
    [
        OverPoints(),
        lambda point: point.x.square().sum(dim=1),
        energy(nn.Linear(2, 1)),
        build_mlp(MlpConfig(), BuildContext()),
    ],
)
def test_what_takes_points_is_taken_as_it_is(given: object) -> None:
    assert as_energy(given, POINT) is given  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        nn.Linear(2, 1),
        nn.Sequential(nn.Flatten(), nn.Linear(2, 1), nn.Flatten(0)),
        lambda x: x.square().sum(dim=1),
        lambda x: torch.linalg.norm(x, dim=1, keepdim=True),
        lambda x: x[:, 0] ** 2,
    ],
)
def test_what_takes_x_becomes_an_energy_over_points(given: nn.Module) -> None:
    assert torch.equal(as_energy(given, POINT)(POINT), given(POINT.x).reshape(4))


def test_to_be_asked_leaves_a_module_and_the_random_stream_as_they_were() -> None:
    net = Noisy()
    net.layers[2].eval()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    modes, before = [part.training for part in net.modules()], torch.get_rng_state()
    found = as_energy(net, Point(x=POINT.x[:1]))
    assert found.module is net  # type: ignore[attr-defined]
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert [part.training for part in net.modules()] == modes and torch.equal(torch.get_rng_state(), before)


def broken(point: Point) -> Tensor:
    return point.x @ torch.zeros(3, 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (nn.Linear(3, 1), r"Linear could not be asked about x \[2, 2\]: RuntimeError: mat1 and mat2 shapes"),
        (nn.Conv2d(1, 1, 3), r"Conv2d could not be asked about x \[2, 2\]: RuntimeError"),
        (broken, r"broken could not be asked about a Point with x \[4, 2\] and coordinates label: RuntimeError: mat1"),
        (lambda *a: 1 / 0, r"a Point with x \[4, 2\]: ZeroDivisionError: division by zero; nor x alone: Zero"),
        (nn.Linear(2, 10), r"Linear returned shape \(2, 10\) for 2 rows; .* output=\"logits\"\)"),
        (lambda x: x.sum(), r"The function returned shape \(\) for 4 rows"),
        (nn.Identity(), r"Identity returned shape \(2, 2\)"),
        (lambda x: 1.0, "The function returned float"),
        (3, "An energy is a module or function of x or of a Point, found int"),
    ],
)
def test_what_takes_neither_is_told_why(given: nn.Module, said: str) -> None:
    with pytest.raises(CapabilityError, match=said):
        as_energy(given, POINT)


def test_a_model_is_told_from_its_energy() -> None:
    class Run:
        energy = nn.Linear(2, 1)

    with pytest.raises(CapabilityError, match=r"found Run\. Give its \.energy\."):
        as_energy(Run(), POINT)  # type: ignore[arg-type]
