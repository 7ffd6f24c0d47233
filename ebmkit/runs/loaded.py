"""Loading a run: its model, from the recipe and a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.device import choose_device
from ebmkit.assembly.memory import no_larger_than
from ebmkit.data.spec import DataSpec
from ebmkit.display.doing import doing
from ebmkit.errors import RecipeError
from ebmkit.recipes.stage import of_stage
from ebmkit.recipes.tables import Weights
from ebmkit.runs.checkpoints import taking
from ebmkit.runs.checkpoints.finite import check_weights
from ebmkit.runs.checkpoints.of_model import checkpoint_of_model
from ebmkit.runs.checkpoints.state import on_device
from ebmkit.runs.files.directory import recipe_of
from ebmkit.runs.files.located import run_directory
from ebmkit.runs.finished import Run
from ebmkit.samplers.adaptation import for_evaluation
from ebmkit.sampling.model import model_of, opened
from ebmkit.views.frozen import converge_parametrisations

_log = logging.getLogger(__name__)


def load(
    run_dir: str | Path,
    *,
    device: str | None = None,
    averaged: bool = True,
    step: int | None = None,
    given: Mapping[str, Any] | None = None,
) -> Run:
    """Loads a run: its energy, sampler, objectives and coordinates. The data set is not needed.

    Args:
        run_dir: directory of the run, or `pretrained:NAME` of one that comes with ebmkit.
        device: another device than the run's.
        averaged: take the moving averages of the weights instead of the last ones.
        step: of the checkpoint to take; unset, the newest that is whole.
        given: parts that a program handed over, by table: {"energy": net}. They take the weights of the run.

    Raises:
        CheckpointError: there is no run, or its checkpoint is damaged or foreign.
        RecipeError: a part of it was handed over and is not given.
    """
    directory = run_directory(run_dir)
    doing(f"loading {run_dir}")
    recipe = recipe_of(directory, given)
    saved = checkpoint_of_model(directory, _log.warning, step)
    recipe = of_stage(recipe, saved.stage)
    recipe = recipe.with_table("run", device=device or _device_here(recipe.table("run").device))
    with no_larger_than(tensor for own in saved.tensors.values() for tensor in own.values()):
        assembly = assemble(recipe, data=DataSpec.from_json(saved.data), with_data=False)
    parts = assembly.parts
    for name, module in parts.owners().items():
        its = taking.weights(saved, name, averaged=averaged)
        check_weights(name, module, its)
        taking.take(module, its, name)
        converge_parametrisations(module)
    tuning = on_device(parts.device, for_evaluation(taking.unflatten(saved.tensors.get("tuning", {}))))
    weights: Weights = "averaged" if averaged else "last"
    model = model_of(assembly, step=saved.step, tuning=tuning, name=str(run_dir), weights=weights)
    return Run(directory=directory, model=opened(model))


def _device_here(recorded: str) -> str:
    """Returns the device that a run was trained on, or the CPU where there is none of it."""
    try:
        return str(choose_device(recorded))
    except RecipeError:
        return "cpu"
