"""What a training step is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import reduce

import torch
from torch import nn

from ebmkit.point import Batch
from ebmkit.processes import ALONE, World
from ebmkit.protocols.buffer import Buffer
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import Objective, Requires
from ebmkit.protocols.sampler import Sampler, Tuning
from ebmkit.training.sharding import Sharding
from ebmkit.views.view import CallableView, FrozenView


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything a training step is made of, built.

    Attributes:
        coordinates: in order.
        energy: with its wrappers.
        sampler: of the chains; a `NoSampler` where there are none.
        buffer: of the chains; None where there are none.
        objectives: by name.
        view: what the sampler sees of the energy.
        device: where everything is.
        seed: of every random stream.
        autocast: the losses are computed in bf16.
        world: the processes that train the model together.
        sharding: how the energy's weights are split over them; None where each process holds them all.
        checker: looks at all parts before a step, and raises where one breaks a promise; see `checker/checker.py`.
    """

    coordinates: tuple[Coordinate, ...]
    energy: Energy
    sampler: Sampler
    buffer: Buffer | None
    objectives: Mapping[str, Objective]
    view: FrozenView | CallableView
    device: torch.device
    seed: int = 0
    autocast: bool = False
    world: World = ALONE
    sharding: Sharding | None = None
    checker: Callable[[Parts, Batch, int, Tuning], None] | None = None

    @property
    def requires(self) -> Requires:
        """What the objectives ask of the phases, together."""
        return reduce(lambda a, b: a | b, (objective.requires for objective in self.objectives.values()))

    def whole_weights(self) -> AbstractContextManager[None]:
        """Returns the context of a step, in which weights that are split over processes are joined where needed."""
        return nullcontext() if self.sharding is None else self.sharding.step()

    def refresh_view(self) -> None:
        """Gives the view the weights as they are; with weights that are split, all processes call it together."""
        if self.sharding is None:
            self.view.refresh()
        else:
            self.sharding.refresh()

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yields every parameter that training moves: of the energy, and of objectives that own some."""
        for module in self.owners().values():
            yield from module.parameters()

    def owners(self) -> dict[str, nn.Module]:
        """The modules that own parameters: the energy (its wrappers included) and objectives that are modules."""
        modules: dict[str, object] = {"energy": self.energy, **self.objectives}
        return {k: m for k, m in modules.items() if isinstance(m, nn.Module) and any(True for _ in m.parameters())}
