"""Pictures of a run while it trains: its chains, or samples where it has none, and what samplers show of themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ebmkit.assembly.assemble import Assembly
from ebmkit.assembly.context import in_data_range, temperature_of
from ebmkit.errors import RunError
from ebmkit.evaluation.pictures import save_picture
from ebmkit.evaluation.plane import Window, density_if_any, window_around
from ebmkit.evaluation.plane_pictures import save_plane
from ebmkit.plugins.host import host
from ebmkit.point import Point
from ebmkit.protocols.objective import Phases
from ebmkit.protocols.sampler import Tuning
from ebmkit.recipes.naming import data_name
from ebmkit.recipes.recipe import Recipe
from ebmkit.rng import stream
from ebmkit.runs.files.whole import written_whole
from ebmkit.samplers.none import NoSampler
from ebmkit.sampling.generate import generate
from ebmkit.sampling.model import model_of
from ebmkit.sampling.named import its_sampler
from ebmkit.sampling.plan import plan_of
from ebmkit.training.monitor import sampler_figures

_log = logging.getLogger(__name__)

PLANE = (2,)
"""Event shape of data that are drawn with their density."""
DATA_SHOWN = 1_000


def is_due(step: int, recipe: Recipe) -> bool:
    """Whether pictures are drawn after a step."""
    return step % recipe.table("pictures").every == 0 or step == recipe.table("run").steps


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
        can_draw = not isinstance(sampler, NoSampler) or assembly.recipe.table("sample").method == "anneal"
        self.samples = not assembly.parts.requires.negatives and can_draw
        if self.samples:
            plan_of(replace(model, sampler=sampler), frozenset())

    def draw(self, step: int, phases: Phases, tuning: Tuning, averaged: Mapping[str, Tensor]) -> Sequence[Path]:
        """Draws what there is to see after a step; returns the files.

        Args:
            step: that was made.
            phases: its phases.
            tuning: of the sampler.
            averaged: weights of the energy, by name: those of the density in the plane. Where weights are split over
                processes, it is the density of the view's.

        Raises:
            RunError: the disk refuses.
        """
        x = self._seen(step, phases)
        drawn = [] if x is None else [self._write("step", step, lambda path: self._save(x, step, averaged, path))]
        figures = sampler_figures(self.assembly.parts.sampler, tuning)
        drawn += [self._write(name, step, figure.savefig) for name, figure in figures.items()]
        return [path for path in drawn if path.exists()]  # vectors have no picture

    def _save(self, x: Tensor, step: int, averaged: Mapping[str, Tensor], path: Path) -> None:
        """Draws x; in the plane beside data and the density of the averaged model."""
        data = self.assembly.data
        if data.event_shape != PLANE or data.x_values != "real":
            save_picture(x, data.value_range, path)
            return
        shown = self._data()
        window = window_around(shown.cpu(), x.float().cpu())
        clouds = [("data", shown), (f"{'samples' if self.samples else 'chains'}, step {step:,}", x)]
        title = f"{self.directory.name} · {data_name(self.assembly.recipe, host())}"
        save_plane(path, clouds, log_density=self._density(window, averaged), window=window, title=title)

    def _density(self, window: Window, averaged: Mapping[str, Tensor]) -> Tensor | None:
        parts, temperature = self.assembly.parts, temperature_of(self.assembly.recipe)
        energy = parts.view.energy
        if isinstance(parts.energy, nn.Module) and averaged and parts.sharding is None:
            energy = deepcopy(parts.energy).eval()
            energy.load_state_dict(dict(averaged))
        return density_if_any(energy, window, temperature, parts.coordinates, parts.device)

    def _data(self) -> Tensor:
        """Returns as many data as a plot bears, the same ones in every picture."""
        dataset, parts = self.assembly.dataset, self.assembly.parts
        assert dataset is not None
        rows = torch.linspace(0, len(dataset) - 1, min(len(dataset), DATA_SHOWN)).long()
        return dataset.batch(rows.to(parts.device), stream(parts.seed, 0, "pictures", parts.device)).x

    def _seen(self, step: int, phases: Phases) -> Tensor | None:
        """Returns up to n chains, or samples, in the value range of the data; None where there are neither."""
        if phases.negative is not None:
            return in_data_range(self.assembly.parts.coordinates, self._at_data(phases.negative))[: self.n]
        if not self.samples:
            return None
        try:
            return generate(model_of(self.assembly, step=step), self.n).x
        except RunError as error:  # early in training chains may fly, or never come to data: that ends no run
            _log.warning("No picture of step %d: %s", step, error)
            return None

    def _at_data(self, chains: Point) -> Point:
        """Returns the chains that are at data, and all of them where none is or they are images."""
        if self.assembly.data.event_shape != PLANE:
            return chains
        is_data = torch.ones(len(chains), dtype=torch.bool, device=chains.x.device)
        for coordinate in self.assembly.parts.coordinates:
            is_data = is_data & coordinate.is_data(chains)
        return chains.map(lambda values: values[is_data]) if bool(is_data.any()) else chains

    def _write(self, name: str, step: int, draw: Callable[[Path], object]) -> Path:
        path = self.directory / "samples" / f"{name}-{step:08d}.png"
        try:
            path.parent.mkdir(exist_ok=True)
            with written_whole(path) as fresh:
                draw(fresh)
        except OSError as error:
            raise RunError(
                f"{path} could not be written: {error}. Free some space and go on with: ebmkit resume {self.directory}"
            ) from error
        return path
