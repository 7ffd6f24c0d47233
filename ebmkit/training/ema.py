"""Moving averages of weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ebmkit.recipes.tables import RunConfig


class Averages:
    """Exponential moving average of every owner's weights, with a half-life in images; buffers are copied."""

    def __init__(self, owners: Mapping[str, nn.Module], run: RunConfig) -> None:
        self.owners = dict(owners)
        self.decay = 0.5 ** (run.batch_size / run.ema_half_life) if run.ema_half_life else 0.0
        self.copy_steps = 0 if run.init else run.ema_copy_steps  # the averages of another run are worth keeping
        self.values = {name: {k: v.detach().clone() for k, v in m.state_dict().items()} for name, m in owners.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes the weights after a step (from 1); the first `copy_steps` steps are copied."""
        decay = 0.0 if step <= self.copy_steps else self.decay
        for name, module in self.owners.items():
            averaged = dict(module.named_parameters(remove_duplicate=False))  # tied weights have several names
            for key, value in module.state_dict(keep_vars=True).items():
                mean = self.values[name][key]
                if decay and key in averaged:
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(value)
