"""What a sampler says of its transitions, gradients asked and proposals accepted; and that the host reads nothing."""

from __future__ import annotations

import traceback
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode

from ebmkit.point import Point
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import seeded
from ebmkit.testing.starts import Started, fitting, two_shapes
from ebmkit.views.view import view


class Counting:
    """A view that counts the gradients it is asked for, and the rows of each."""

    def __init__(self, view: Any) -> None:
        self.view, self.n_gradients, self.n_rows = view, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.view, name)

    def gradient(self, point: Point) -> Tensor:
        """Returns ∇E [B, *event], counted."""
        self._count(point)
        gradient: Tensor = self.view.gradient(point)
        return gradient

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns E [B] and ∇E [B, *event], counted."""
        self._count(point)
        both: tuple[Tensor, Tensor] = self.view.energy_and_gradient(point)
        return both

    def _count(self, point: Point) -> None:
        self.n_gradients += 1
        self.n_rows += len(point)


def counts_its_gradients(part: Examined) -> None:
    """Raises CheckFailed where the gradients that are reported are not those that were asked of the view."""
    for start in two_shapes(part, 6):
        _look_at_gradients(start, 6)


def _look_at_gradients(start: Started, n: int) -> None:
    seen = Counting(start.view)
    _, info = start.sampler.step(seen, start.state)  # a view, by delegation
    if seen.n_rows != n * info.n_gradients:
        raise CheckFailed(
            f"it reports n_gradients = {info.n_gradients}, and asked the view for {seen.n_rows / n:g} a chain. Count "
            "every row of view.gradient and view.energy_and_gradient, also those of replicas and of the first point."
        )
    if (info.n_gradients > 0) != start.sampler.traits.asks_gradient:
        raise CheckFailed(
            f"its traits say asks_gradient = {start.sampler.traits.asks_gradient}, and a transition asked for "
            f"{info.n_gradients} gradients. Let the traits say what it does."
        )


def counts_its_proposals(part: Examined) -> None:
    """Raises CheckFailed where acceptance comes without proposals, or proposals from who rejects none."""
    start = fitting(part, 200)
    state = start.state
    for _ in range(4):
        state, info = start.sampler.step(start.view, state)
        rate = info.accept_rate
        if info.n_proposals == 0 and bool((rate != 1).any()):
            raise CheckFailed(
                f"its accept_rate is {float(rate.mean()):.2f} and its n_proposals is 0: nobody can tell how many were "
                "tried. Count the moves of x that may be rejected: n_proposals=K."
            )
        if info.n_proposals and not start.sampler.traits.adjusted and bool((rate == 1).all()):
            raise CheckFailed(
                f"it is not adjusted, rejects nothing and reports n_proposals = {info.n_proposals}. A move that always "
                "happens is none: n_proposals=0."
            )


class Plain:
    """½‖x‖², with three values of a level that change nothing: an energy without tensors of its own."""

    abilities = frozenset({"levels.level"})

    def __call__(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return point.x.flatten(1).square().sum(dim=1) / 2

    def levels(self, point: Point, name: str) -> Tensor:
        """Returns the same for each of three values [B, 3]."""
        return self(point)[:, None].expand(-1, 3)


def never_reads_a_tensor(part: Examined) -> None:
    """Raises CheckFailed where a transition reads a tensor on the host: on a GPU such a line waits for the device."""
    starts = two_shapes(part, 6)
    try:
        for start in starts:
            _without_values(start)
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        raise CheckFailed(_said(error)) from error
    except RuntimeError as error:
        if "not supported for tensor subclasses" in str(error):  # .numpy() and .tolist()
            raise CheckFailed(_said(error)) from error
        raise NotApplicable(f"it does not run on tensors without values: {str(error).splitlines()[0]}") from error
    except Exception as error:
        raise NotApplicable(f"it does not run on tensors without values: {type(error).__name__}") from error


def _without_values(start: Started) -> None:
    """Makes a transition of tensors that have a shape and no values: whoever asks for one fails."""
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        point = start.state.point.map(mode.from_tensor)
        tuning = torch.utils._pytree.tree_map(
            lambda value: mode.from_tensor(value) if isinstance(value, Tensor) else value, dict(start.state.tuning)
        )
        state = type(start.state)(point=point, rng=seeded(0), tuning=tuning)
        start.sampler.step(view(Plain()), state)


def _said(error: BaseException) -> str:
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if "/torch/" not in frame.filename]
    last = lines[-1]
    return (
        f"a transition reads a tensor on the host, in line {last.lineno} of {last.filename.rsplit('/', 1)[-1]}: "
        f"`{last.line}`. On a GPU the host waits there for all work before it. Write it with torch.where, and let "
        "masks stay tensors: no .item(), bool(…), .tolist(), nonzero or indexing by a mask."
    )
