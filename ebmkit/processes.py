"""The processes of one run: which one this is, and what they tell each other. One process tells nobody anything.

Every process holds all weights, chains of its own and a share of each batch. What a step computes of rows in all
processes together, the mean of a gradient above all, equals what one process would compute of all rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

handed: Counter[str] = Counter()
"""Bytes that this process has handed to others, by what was asked of its `World`; docs/scaling_measured.py reads it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """The processes that train one model.

    Attributes:
        rank: number of this one, from 0; rank 0 writes the run directory.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and talks."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """Returns this process's rows of what all have, every size-th of them."""
        return rows if self.size == 1 else rows[self.rank :: self.size]

    def rows(self, tensor: Tensor) -> Tensor:
        """Returns the rows of all processes, [size · B, ...], in the order of their ranks.

        Differentiable once. Every process computes the same loss of them; the mean of the gradients is its gradient.
        """
        if self.size == 1:
            return tensor
        if tensor.dtype == torch.bool:  # not every backend sends them
            return self.rows(tensor.to(torch.uint8)).bool()
        gathered: Tensor = _Rows.apply(tensor, self)  # type: ignore[no-untyped-call]
        return gathered

    def total(self, tensor: Tensor) -> Tensor:
        """Returns the sum over all processes, differentiable once."""
        if self.size == 1:
            return tensor
        summed: Tensor = _Total.apply(tensor)  # type: ignore[no-untyped-call]
        return summed

    def mean(self, values: Sequence[float]) -> list[float]:
        """Returns the mean over all processes of numbers that each of them names in the same order."""
        if self.size == 1 or not values:
            return list(values)
        both = torch.tensor(list(values), dtype=torch.float64)
        _summed(both, "numbers")
        found: list[float] = (both / self.size).tolist()
        return found

    def any(self, *yes: bool) -> tuple[bool, ...]:
        """Returns of each question whether it is so in any process."""
        if self.size == 1:
            return yes
        flags = torch.tensor([int(answer) for answer in yes])
        handed["whether to stop"] += flags.nbytes
        dist.all_reduce(flags, dist.ReduceOp.MAX)
        return tuple(bool(flag) for flag in flags.tolist())

    def said_by_first(self, text: str) -> str:
        """Returns the text of rank 0."""
        if self.size == 1:
            return text
        encoded = text.encode()
        length = torch.tensor([len(encoded)])
        dist.broadcast(length, 0)
        data = torch.zeros(int(length.item()), dtype=torch.uint8)
        if self.is_first:
            data = torch.tensor(list(encoded), dtype=torch.uint8)
        if len(data):
            dist.broadcast(data, 0)
        return bytes(data.tolist()).decode()

    def said_by_all(self, text: str) -> list[str]:
        """Returns what each process says, in the order of their ranks."""
        if self.size == 1:
            return [text]
        encoded = text.encode()
        own = torch.tensor([len(encoded)])
        lengths = [torch.zeros_like(own) for _ in range(self.size)]
        dist.all_gather(lengths, own)
        n = max(int(length.item()) for length in lengths)
        data = torch.zeros(max(n, 1), dtype=torch.uint8)
        data[: len(encoded)] = torch.tensor(list(encoded), dtype=torch.uint8)
        found = [torch.zeros_like(data) for _ in range(self.size)]
        dist.all_gather(found, data)
        return [bytes(each[: int(k.item())].tolist()).decode() for each, k in zip(found, lengths, strict=True)]

    def wait(self) -> None:
        """Waits until every process is here."""
        if self.size > 1:
            dist.barrier()

    @torch.no_grad()
    def take_first(self, tensors: Iterable[Tensor]) -> None:
        """Gives every process the values that tensors have in rank 0, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every parameter the mean of its gradients over all processes, a bucket of parameters an exchange.

        A parameter that no process has a gradient of keeps none; where one has, the others count as zero.
        """
        if self.size == 1:
            return
        groups: dict[tuple[torch.dtype, torch.device], list[nn.Parameter]] = {}
        for parameter in dict.fromkeys(parameters):
            if parameter.requires_grad:
                groups.setdefault((parameter.dtype, parameter.device), []).append(parameter)
        for members in groups.values():
            for bucket in _buckets(members):
                _average(bucket, self.size)


ALONE = World()
"""One process."""


BUCKET = 2**23
"""Numbers that are exchanged at a time: what is sent is a copy."""


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Yields parameters, in order, that have at most `BUCKET` numbers together, or one that has more."""
    bucket, n = list[nn.Parameter](), 0
    for parameter in parameters:
        if bucket and n + parameter.numel() > BUCKET:
            yield bucket
            bucket, n = [], 0
        bucket.append(parameter)
        n += parameter.numel()
    yield bucket


def _summed(tensor: Tensor, what: str) -> None:
    """Sums a tensor over all processes, in place, and counts its bytes."""
    handed[what] += tensor.nbytes
    dist.all_reduce(tensor)


def _average(parameters: Sequence[nn.Parameter], size: int) -> None:
    like = parameters[0]
    has = like.new_tensor([parameter.grad is not None for parameter in parameters])
    flat = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    sent = torch.cat([has, *(gradient.reshape(-1) for gradient in flat)])
    _summed(sent, "gradients")
    counts = sent[: len(parameters)].tolist()
    means = torch.split(sent[len(parameters) :] / size, [p.numel() for p in parameters])
    for parameter, count, mean in zip(parameters, counts, means, strict=True):
        if count and parameter.grad is None:
            parameter.grad = torch.empty_like(parameter)
        if count and parameter.grad is not None:
            parameter.grad.copy_(mean.view_as(parameter))


class _Rows(torch.autograd.Function):
    """All rows forward; backward, the gradients that all processes have of this one's rows, added."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, world: World) -> Tensor:
        ctx.world = world
        ctx.n_rows = len(tensor)
        found = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(world.size)]
        handed["rows"] += tensor.nbytes
        dist.all_gather(found, tensor.contiguous())
        return torch.cat(found)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.contiguous().clone()
        _summed(total, "gradients of rows")
        first = ctx.world.rank * ctx.n_rows
        return total[first : first + ctx.n_rows], None


class _Total(torch.autograd.Function):
    """The sum over all processes, forward and backward."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.detach().clone(memory_format=torch.contiguous_format)
        _summed(total, "sums")
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        _summed(total, "gradients of sums")
        return total
