"""Optimisers by owner, their schedules, and the moving average of every owner's weights."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.errors import CheckpointError, DivergenceError
from ebmkit.processes import ALONE, World
from ebmkit.recipes.tables import OptimConfig
from ebmkit.training.alarms.table import advice
from ebmkit.training.sharding import Sharding
from ebmkit.training.split import clip_split_gradients, is_split, split_like


def schedule(config: OptimConfig, step: int, total: int) -> float:
    """Returns the factor on the learning rate at a step (from 1), in (0, 1]: linear warm-up, then the schedule.

    A schedule falls towards 0 and would reach it one step after the last, so that no step is idle.
    """
    if config.warmup and step <= config.warmup:
        return step / config.warmup
    if config.schedule == "drops":
        return 0.1 ** sum(step > share * total for share in config.drops)
    begin = config.warmup + config.hold * (total - config.warmup)
    progress = min(1.0, max(0.0, (step - 1 - begin) / max(1e-9, total - begin)))
    if config.schedule == "cosine":
        return 0.5 * (1 + cos(pi * progress))
    return 1 - progress if config.schedule == "linear" else 1.0


def make_optimiser(module: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """Returns the optimiser of one owner."""
    parameters = list(module.parameters())
    if config.use == "sgd":
        return torch.optim.SGD(parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
    kind = torch.optim.AdamW if config.use == "adamw" else torch.optim.Adam
    return kind(parameters, lr=config.lr, betas=config.betas, weight_decay=config.weight_decay)


class Optimisers:
    """One optimiser for each owner; one backward pass serves all of them, and one exchange between processes.

    Args:
        owners: modules with parameters, by name.
        configs: settings of each.
        total: steps over which the schedules run.
        world: the processes that train together.
        sharding: of the energy, where its weights are split over them.
        after: step after which these begin.

    Attributes:
        rate: factor on every learning rate.
    """

    def __init__(
        self,
        owners: Mapping[str, nn.Module],
        configs: Mapping[str, OptimConfig],
        total: int,
        world: World = ALONE,
        sharding: Sharding | None = None,
        after: int = 0,
    ) -> None:
        self.after = after
        self.world, self.sharding = world, sharding
        self.owners, self.configs, self.total = dict(owners), dict(configs), total
        self.rate = 1.0
        self.optimisers = {name: make_optimiser(module, configs[name]) for name, module in owners.items()}

    def update(self, losses: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """Goes backward through the sum of the losses and moves every owner's parameters.

        Returns:
            The gradient norm of each owner, nats per unit of its parameters.

        Raises:
            DivergenceError: a gradient is not finite; nothing has moved.
        """
        total = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        if self.sharding is not None:
            self.sharding.share_gradients()
        parameters = (p for module in self.owners.values() for p in module.parameters())
        self.world.average_gradients(p for p in parameters if not is_split(p))
        norms = {name: _clipped(module, self.configs[name].clip) for name, module in self.owners.items()}
        if not bool(torch.isfinite(torch.stack(list(norms.values()))).all()):
            found = ", ".join(f"{name}: {float(norm):g}" for name, norm in norms.items())
            raise DivergenceError(
                f"Step {step}: a gradient is not finite (norms {found}). Nothing was updated. "
                f"{advice('gradient-not-finite')}"
            )
        for name, optimiser in self.optimisers.items():
            config = self.configs[name]
            for group in optimiser.param_groups:
                group["lr"] = config.lr * self.rate * schedule(config, step - self.after, self.total)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return {f"gradient_norm.{name}": norm.detach() for name, norm in norms.items()}


def _clipped(module: nn.Module, clip: float) -> Tensor:
    """Bounds the gradient norm of an owner; returns what it was."""
    parameters, bound = list(module.parameters()), clip or float("inf")
    if any(is_split(p) for p in parameters):
        return clip_split_gradients(parameters, bound)
    return nn.utils.clip_grad_norm_(parameters, bound)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Returns an optimiser's state as named tensors: "INDEX.NAME"."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {f"{i}.{k}": torch.as_tensor(v) for i, entry in state.items() for k, v in entry.items() if v is not None}


def load_optimiser_tensors(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Takes a saved state; the settings stay those of the recipe.

    Raises:
        CheckpointError: it belongs to another optimiser or other parameters.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        if not index.isdecimal() or not name:
            raise CheckpointError(f"The saved optimiser holds '{key}', which is no INDEX.NAME: it is not ours.")
        state.setdefault(int(index), {})[name] = tensor
    _check_state(optimiser, state)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for i, entry in state.items():
        own = parameters[i]
        state[i] = {k: split_like(v, own) if v.shape == own.shape else v for k, v in entry.items()}
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _check_state(optimiser: torch.optim.Optimizer, state: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Raises CheckpointError unless every entry is what this optimiser keeps of one of its parameters."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    is_sgd = isinstance(optimiser, torch.optim.SGD)
    for index, entry in state.items():
        shape = parameters[index].shape if index < len(parameters) else None
        wanted = {"momentum_buffer": shape} if is_sgd else {"step": torch.Size(), "exp_avg": shape, "exp_avg_sq": shape}
        if {name: tensor.shape for name, tensor in entry.items()} != wanted:
            found = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in entry.items())
            kind = type(optimiser).__name__
            raise CheckpointError(
                f"The saved optimiser holds {found} of parameter {index}, which does not fit {kind} of "
                f"{len(parameters)} parameters: it belongs to another recipe."
            )
