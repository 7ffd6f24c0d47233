"""Pictures of a run while it trains: its chains, or samples where it has none, and what samplers show of themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ebmkit.assembly.assemble import Assembly
from ebmkit.assembly.context import in_data_range
from ebmkit.errors import RunError
from ebmkit.evaluation.pictures import save_picture
from ebmkit.protocols.objective import Phases
from ebmkit.protocols.sampler import Tuning
from ebmkit.samplers.none import NoSampler
from ebmkit.sampling.generate import generate
from ebmkit.sampling.model import model_of
from ebmkit.sampling.named import its_sampler
from ebmkit.sampling.plan import plan_of
from ebmkit.training.monitor import sampler_figures

_log = logging.getLogger(__name__)


class Pictures:
    """Draws into `DIR/samples`.

    A run without chains shows samples of its present weights, drawn by the sampler that its recipe names for them, and
    no pictures where it names none.

    Raises:
        CapabilityError: that sampler cannot draw samples of this model.
    """

    def __init__(self, directory: Path, assembly: Assembly) -> None:
        self.directory, self.assembly = directory, assembly
        self.n = assembly.recipe.table("pictures").n
        model = model_of(assembly)
        sampler = its_sampler(model)  # one that cannot draw these samples is refused now, and not after training
        self.samples = not assembly.parts.requires.negatives and not isinstance(sampler, NoSampler)
        if self.samples:
            plan_of(replace(model, sampler=sampler), frozenset())

    def draw(self, step: int, phases: Phases, tuning: Tuning) -> None:
        """Draws what there is to see after a step; raises RunError where the disk refuses."""
        x = self._seen(step, phases)
        if x is not None:
            self._write("step", step, lambda path: save_picture(x, self.assembly.data.value_range, path))
        for name, figure in sampler_figures(self.assembly.parts.sampler, tuning).items():
            self._write(name, step, figure.savefig)

    def _seen(self, step: int, phases: Phases) -> Tensor | None:
        """Returns up to n chains, or samples, in the value range of the data; None where there are neither."""
        if phases.negative is not None:
            return in_data_range(self.assembly.parts.coordinates, phases.negative)[: self.n]
        if not self.samples:
            return None
        try:
            return generate(model_of(self.assembly, step=step), self.n).x
        except RunError as error:  # early in training chains may fly, or never come to data: that ends no run
            _log.warning("No picture of step %d: %s", step, error)
            return None

    def _write(self, name: str, step: int, draw: Callable[[Path], object]) -> None:
        path = self.directory / "samples" / f"{name}-{step:08d}.png"
        try:
            path.parent.mkdir(exist_ok=True)
            draw(path)
        except OSError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise RunError(
                f"{path} could not be written: {error}. Free some space and go on with: ebmkit resume {self.directory}"
            ) from error
