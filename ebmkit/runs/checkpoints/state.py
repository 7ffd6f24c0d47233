"""Everything that the next training step depends on beside the recipe, and its way into a checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.errors import CheckpointError
from ebmkit.protocols.sampler import Tuning
from ebmkit.recipes.recipe import Recipe
from ebmkit.recipes.stage import begins_after, stage_name, steps_of
from ebmkit.runs.checkpoints import taking
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.finite import open_names
from ebmkit.runs.checkpoints.shares import OWN
from ebmkit.training.batches import Batches
from ebmkit.training.chains import first_tuning
from ebmkit.training.ema import Averages
from ebmkit.training.optim import Optimisers, load_optimiser_tensors, optimiser_tensors
from ebmkit.training.parts import Parts
from ebmkit.training.split import all_whole


class TrainingState:
    """Weights, averages, optimisers, and where there are chains, buffer and tuning.

    Attributes:
        step: training steps made.
        stage: whose state it is; "" where the run has none.
        tuning: of the sampler, empty without chains.
        optimisers: of every owner of parameters.
        averages: of their weights.
        batches: whose position is kept, where the step does not say it.
        open: names of what was not finite before the first step, and may stay so.
    """

    def __init__(self, parts: Parts, recipe: Recipe) -> None:
        run, self.owners = recipe.table("run"), parts.owners()
        self.parts = parts
        self.batches: Batches | None = None
        self.optimisers = Optimisers(
            self.owners, {name: recipe.owner(name) for name in self.owners}, steps_of(recipe), parts.world,
            parts.sharding, begins_after(recipe),
        )  # fmt: skip
        self.averages = Averages(self.owners, run)
        self.tuning: Tuning = first_tuning(parts)
        self.step, self.stage = begins_after(recipe), stage_name(recipe)
        self.open = open_names(self.owners)

    def saved(self, data: DataSpec, *, in_all: bool = False) -> Saved:
        """Returns it as a checkpoint holds it; what processes have in common is there in the first one, or in all."""
        tensors: dict[str, Mapping[str, Tensor]] = {
            **{name: module.state_dict() for name, module in self.owners.items()},
            **{f"ema.{name}": self.averages.values[name] for name in self.owners},
            **{f"optim.{name}": optimiser_tensors(self.optimisers.optimisers[name]) for name in self.owners},
        }
        if self.parts.buffer is not None:
            tensors["buffer"] = self.parts.buffer.state_dict()
        if self.parts.requires.negatives:
            tensors["tuning"] = taking.flatten(self.tuning)
        if self.batches is not None and (position := self.batches.state_dict()):
            tensors["position"] = position
        keep = in_all or self.parts.world.is_first
        joined = {name: all_whole(own, keep=keep or name in OWN) for name, own in tensors.items()}
        return Saved(step=self.step, tensors=joined, data=data.as_json(), stage=self.stage)

    def take(self, saved: Saved) -> None:
        """Takes a checkpoint's; raises CheckpointError where it belongs to another recipe."""
        DataSpec.from_json(saved.data)
        for name, module in self.owners.items():
            if not {name, f"ema.{name}", f"optim.{name}"} <= saved.tensors.keys():
                raise CheckpointError(f"The checkpoint holds nothing of '{name}': it belongs to another recipe.")
            taking.take(module, saved.tensors[name], name)
            module.zero_grad(set_to_none=True)  # of a step that the run went back from
            taking.take_tensors(self.averages.values[name], saved.tensors[f"ema.{name}"], f"ema.{name}")
            load_optimiser_tensors(self.optimisers.optimisers[name], saved.tensors[f"optim.{name}"])
        if self.parts.buffer is not None:
            if "buffer" not in saved.tensors:
                raise CheckpointError("The checkpoint holds no buffer: it belongs to another recipe, or is damaged.")
            self.parts.buffer.load_state_dict(saved.tensors["buffer"])
        if self.batches is not None and "position" in saved.tensors:
            self.batches.load_state_dict(saved.tensors["position"])
        tuning = {key: tensor.to(self.parts.device) for key, tensor in saved.tensors.get("tuning", {}).items()}
        self.tuning, self.step = taking.unflatten(tuning), saved.step

    def inherit(self, saved: Saved) -> None:
        """Takes what a stage hands on to the next: steps, weights and averages, and the place in the data.

        Optimisers, buffer and tuning begin anew, and so does an owner of which there is nothing.

        Raises:
            CheckpointError: it is not what a stage before this one left.
        """
        if saved.step != self.step:
            raise CheckpointError(
                f"The checkpoint of step {saved.step} is of stage '{saved.stage}', but by the recipe stage "
                f"'{self.stage}' begins after step {self.step}: recipe.toml was changed. Put it back."
            )
        DataSpec.from_json(saved.data)
        for name, module in self.owners.items():
            if name in saved.tensors:
                taking.take(module, saved.tensors[name], name)
                taking.take_tensors(self.averages.values[name], saved.tensors[f"ema.{name}"], f"ema.{name}")
        if self.batches is not None and "position" in saved.tensors:
            self.batches.load_state_dict(saved.tensors["position"])


def on_device(device: torch.device, tuning: Tuning) -> Tuning:
    """Returns a tuning on a device."""
    moved: dict[str, Any] = {}
    for key, value in tuning.items():
        moved[key] = on_device(device, value) if isinstance(value, Mapping) else value.to(device)
    return moved
