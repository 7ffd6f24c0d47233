"""Evaluations while a run is being trained: the function of `ebmkit eval`, on a copy of the model in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ebmkit.assembly.assemble import Assembly
from ebmkit.display.doing import doing
from ebmkit.errors import EbmkitError
from ebmkit.evaluation.evaluate import judge, metrics_of
from ebmkit.evaluation.needs import check_metrics
from ebmkit.evaluation.record import FOLDER, Evaluation
from ebmkit.evaluation.words import summary
from ebmkit.recipes.tables import EvalConfig, Weights
from ebmkit.runs.checkpoints import taking
from ebmkit.runs.checkpoints.state import TrainingState
from ebmkit.runs.log.evaluated import save_evaluation
from ebmkit.samplers.adaptation import for_evaluation
from ebmkit.sampling.model import Model, model_of
from ebmkit.training.checker.copies import copied, copied_tuning
from ebmkit.views.frozen import converge_parametrisations


class Judging:
    """Evaluates a run every so many steps, and at the last, as its `[eval]` says. Nothing in the run changes by it.

    Args:
        assembly: of the run.
        directory: of the run; None writes nothing.
        note: is told one line of each evaluation.

    Raises:
        RecipeError, CapabilityError: a metric cannot judge this model.
    """

    def __init__(self, assembly: Assembly, directory: Path | None, note: Callable[[str], None]) -> None:
        self.assembly, self.directory, self.note = assembly, directory, note
        self.config: EvalConfig = assembly.recipe.table("eval")
        self.found: list[Evaluation] = []
        if self.config.every:
            model = model_of(assembly)
            self.parts = metrics_of(model)
            check_metrics(model, self.parts, assembly.dataset)

    def look(self, state: TrainingState) -> Evaluation | None:
        """Evaluates the run where that is due, in the first process; returns what was found."""
        every, last = self.config.every, self.assembly.recipe.table("run").steps
        if not every or not self.assembly.parts.world.is_first or (state.step % every and state.step != last):
            return None
        doing("evaluating")
        model = model_in_memory(self.assembly, state, self.config.weights)
        try:
            found = judge(model, self.parts, self.config, dataset=self.assembly.dataset)
        except EbmkitError as error:  # a number that cannot be had does not end a run
            self.note(f"step {state.step}: not evaluated. {error}")
            return None
        self.found.append(found)
        if self.directory is not None:
            save_evaluation(self.directory, found, self.directory / FOLDER / f"step-{state.step:08d}.json")
        self.note(f"step {state.step}: {summary(found)}")
        return found


def model_in_memory(assembly: Assembly, state: TrainingState, weights: Weights = "averaged") -> Model:
    """Returns a copy of the model that is being trained, as it would be loaded from a checkpoint of this step."""
    parts, _ = copied(replace(assembly.parts, buffer=None), ())
    for name, module in parts.owners().items():
        averaged, last = state.averages.values[name], state.owners[name].state_dict()
        values: Mapping[str, Tensor] = averaged if weights == "averaged" else last
        taking.take(module, values, name)
        converge_parametrisations(module)
    tuning = for_evaluation(copied_tuning(state.tuning))
    return model_of(replace(assembly, parts=parts), step=state.step, tuning=tuning, weights=weights)
