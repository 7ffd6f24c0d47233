"""Laws of captured functions, on a stand-in that replays as a graph does: from static tensors, into static tensors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor, nn

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.rng import stream
from ebmkit.views import captured, passes
from ebmkit.views.captured import CudaGraphs, Results, capture
from ebmkit.views.view import view


class Replayed:
    """A capture as the host sees it: the function never sees a new argument, and every replay writes the same tensors.

    Python runs again at a replay, which a graph would not do; `n_runs` tells a test when it did.
    """

    def __init__(self) -> None:
        self.n_warm_ups = self.n_captures = self.n_replays = 0
        self.devices: list[str] = []

    def on(self, device: torch.device) -> AbstractContextManager[object]:
        self.devices.append(device.type)
        return nullcontext()

    def warm_up(self, work: Callable[[], Results]) -> None:
        self.n_warm_ups += 1
        work()

    def capture(self, work: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
        self.n_captures += 1
        results = work()

        def replay() -> None:
            self.n_replays += 1
            for result, fresh in zip(results, work(), strict=True):
                result.copy_(fresh)

        return replay, results


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Replayed:
    """Lets views capture on the CPU."""
    replayed = Replayed()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(passes, "CudaGraphs", lambda: replayed)
    return replayed


def quartic(x: Tensor, weight: Tensor) -> Results:
    return (weight * x.pow(4).sum(dim=1), 4 * weight[:, None] * x.pow(3))


def test_a_replay_reads_the_arguments_of_its_call_and_keeps_older_results() -> None:
    run = capture(quartic, (torch.zeros(5, 2), torch.zeros(5)), Replayed())
    arguments = [(torch.randn(5, 2), torch.rand(5)) for _ in range(3)]
    results = [run(*given) for given in arguments]
    for given, result in zip(arguments, results, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(result, quartic(*given), strict=True))


class Empty(Replayed):
    """What a capture of something that runs on another device is: it ran once, and a replay does nothing."""

    def capture(self, work: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
        self.n_captures += 1
        return lambda: None, work()


@pytest.mark.parametrize("x", [torch.zeros(5, 2), torch.full((5, 2), 0.5), torch.full((1, 2), 100.0)])
def test_a_capture_of_nothing_is_never_used(x: Tensor) -> None:
    """Not even where all rows are alike, so that another order of them would show nothing."""
    with pytest.raises(CapabilityError, match=r"Replayed.*eager"):
        capture(quartic, (x, torch.ones(len(x))), Empty())


def test_indices_are_captured_with_values_that_they_may_have() -> None:
    seen: list[Tensor] = []

    def looked_up(x: Tensor, level: Tensor) -> Results:
        seen.append(level.clone())
        return (torch.tensor([1.0, 5.0])[level] * x[:, 0],)

    run = capture(looked_up, (torch.ones(3, 2), torch.tensor([0, 1, 1])), Replayed())
    assert torch.equal(run(torch.ones(3, 2), torch.tensor([1, 0, 0]))[0], torch.tensor([5.0, 1.0, 1.0]))
    assert {tuple(level.tolist()) for level in seen} == {(0, 1, 1), (1, 1, 0), (1, 0, 0)}


def test_what_draws_random_numbers_is_not_captured() -> None:
    rng = torch.Generator().manual_seed(0)
    with pytest.raises(CapabilityError, match="random"):
        capture(lambda x: (x * torch.rand(x.shape, generator=rng),), (torch.ones(50, 2),), Replayed())


def test_every_part_of_a_capture_is_done_on_the_device_of_x() -> None:
    inside: list[str] = []

    class Within(Replayed):
        def on(self, device: torch.device) -> AbstractContextManager[object]:
            test = self

            class Context:
                def __enter__(self) -> None:
                    test.devices.append(device.type)

                def __exit__(self, *given: object) -> None:
                    test.devices.pop()

            return Context()

        def warm_up(self, work: Callable[[], Results]) -> None:
            inside.append(f"warm-up {self.devices}")
            super().warm_up(work)

        def capture(self, work: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
            inside.append(f"capture {self.devices}")
            replay, results = super().capture(work)

            def watched() -> None:
                inside.append(f"replay {self.devices}")
                replay()

            return watched, results

    capture(quartic, (torch.zeros(5, 2), torch.zeros(5)), Within())(torch.ones(5, 2), torch.ones(5))
    assert inside == [f"{part} ['cpu']" for part in ("warm-up", "capture", "replay", "replay")]


def test_tensors_that_are_not_on_cuda_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with CUDA, and a run on its CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    seen = view(mlp(), engine="graph")
    with pytest.raises(CapabilityError, match=r"x is on cpu.*eager"):
        seen.gradient(points())
    sampler = build("sampler", "sgld", context=BuildContext(event_shape=(3,)), step_size=0.1, noise=0.05, moves=3)
    with pytest.raises(CapabilityError, match="x is on cpu"):
        sampler.step(seen, sampler.init(points(), stream(0, 0, "chains")))


def mlp() -> nn.Module:
    module = build("energy", "mlp", context=BuildContext(event_shape=(3,), seed=1), widths=(16, 16))
    with torch.no_grad():
        for layer in (m for m in module.modules() if isinstance(m, nn.Linear)):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(2)))
    return module


def points(n: int = 6, seed: int = 0) -> Point:
    return Point(x=torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("chunk", [0, 4])
def test_captured_gradients_are_the_eager_ones_and_follow_refreshed_weights(backend: Replayed, chunk: int) -> None:
    live = mlp()
    seen, eager = view(live, engine="graph", chunk=chunk), view(live, chunk=chunk)
    for round in range(3):
        for seed in (0, 1):
            for a, b in zip(
                seen.energy_and_gradient(points(seed=seed)), eager.energy_and_gradient(points(seed=seed)), strict=True
            ):
                assert torch.equal(a, b)
        with torch.no_grad():
            next(live.parameters()).mul_(1.5 + round)
        seen.refresh(), eager.refresh()
    assert (backend.n_captures, backend.n_warm_ups, backend.n_replays) == (1, 1, 7), "one of them a check"


def test_other_shapes_are_captured_anew_and_not_without_end(backend: Replayed) -> None:
    seen, eager = view(mlp(), engine="graph"), view(mlp())
    for n in (2, 3, 2, 4, 5, 6, 7, 6):
        assert torch.equal(seen.gradient(points(n)), eager.gradient(points(n)))
    assert backend.n_captures == 4, "later shapes run as they are"


def test_coordinates_are_arguments_too(backend: Replayed) -> None:
    def weighed(point: Point) -> Tensor:
        return point.aux["level"].float() * point.x.square().sum(dim=1)

    seen = view(weighed, engine="graph")
    for levels in ([1, 2], [3, 1]):
        point = Point(x=torch.ones(2, 3), aux={"level": torch.tensor(levels)})
        assert torch.equal(seen.gradient(point), 2.0 * torch.tensor(levels)[:, None] * point.x)


@pytest.mark.parametrize("clip", [0.0, 0.05])
def test_a_transition_captured_whole_is_the_eager_one(backend: Replayed, clip: float) -> None:
    live = mlp()
    context = BuildContext(event_shape=(3,), value_range=(-1.0, 1.0))
    sampler = build("sampler", "sgld", context=context, step_size=0.1, noise=0.05, moves=5, clip=clip)
    seen, eager = view(live, engine="graph"), view(live)
    states = [sampler.init(points(), stream(0, 0, "chains")) for _ in range(2)]
    for _ in range(3):
        states = [sampler.step(v, state)[0] for v, state in zip((seen, eager), states, strict=True)]
        assert torch.equal(states[0].point.x, states[1].point.x)
        assert torch.equal(states[0].rng.get_state(), states[1].rng.get_state())
        with torch.no_grad():
            next(live.parameters()).mul_(1.1)
        seen.refresh(), eager.refresh()
    assert (backend.n_captures, backend.n_replays) == (1, 4)


def test_a_transition_with_a_tail_captures_the_moves_before_it(backend: Replayed) -> None:
    from ebmkit.protocols.sampler import Tail

    sampler = build("sampler", "sgld", context=BuildContext(event_shape=(3,)), step_size=0.1, noise=0.05, moves=4)
    live = mlp()
    ends = [
        sampler.step(v, sampler.init(points(), stream(0, 0, "chains")), tail=Tail(moves=1))[0].point.x
        for v in (view(live, engine="graph"), view(live))
    ]
    assert torch.equal(ends[0], ends[1]) and ends[0].requires_grad and backend.n_captures == 2


def test_samplers_with_other_settings_do_not_share_a_graph(backend: Replayed) -> None:
    live = mlp()
    seen, eager = view(live, engine="graph"), view(live)
    for step_size in (0.1, 0.2):
        sampler = build(
            "sampler", "sgld", context=BuildContext(event_shape=(3,)), step_size=step_size, noise=0.05, moves=3
        )
        ends = [sampler.step(v, sampler.init(points(), stream(0, 0, "c")))[0].point.x for v in (seen, eager)]
        assert torch.equal(ends[0], ends[1])


def test_without_cuda_there_are_no_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CapabilityError, match="CUDA"):
        view(mlp(), engine="graph")


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_on_cuda_a_captured_transition_is_the_eager_one(precision: str) -> None:
    context = BuildContext(event_shape=(1, 12, 12), value_range=(0.0, 1.0), device=torch.device("cuda"))
    live = build("energy", "resnet", context=context, widths=(8, 12), hidden=16, features=8)
    sampler = build("sampler", "sgld", context=context, step_size=1.0, noise=0.01, moves=6)
    start = Point(x=torch.rand(16, 1, 12, 12, device="cuda"))
    seen, eager = view(live, precision, engine="graph"), view(live, precision)
    for _ in range(3):
        ends = [sampler.step(v, sampler.init(start, stream(0, 0, "chains", "cuda")))[0].point.x for v in (seen, eager)]
        torch.testing.assert_close(ends[0], ends[1], rtol=1e-3, atol=1e-3)
        with torch.no_grad():
            for weight in live.parameters():
                weight.mul_(1.02)
        seen.refresh(), eager.refresh()


@pytest.mark.cuda
def test_on_cuda_a_graph_is_replayed_without_waiting() -> None:
    run = capture(quartic, (torch.zeros(5, 2, device="cuda"), torch.zeros(5, device="cuda")), CudaGraphs())
    x, weight = torch.ones(5, 2, device="cuda"), torch.ones(5, device="cuda")
    before = torch.cuda.get_sync_debug_mode()
    try:
        torch.cuda.set_sync_debug_mode("error")
        result = run(x, weight)
    finally:
        torch.cuda.set_sync_debug_mode(before)
    assert torch.equal(result[1], 4 * x) and captured.WARM_UP > 0
