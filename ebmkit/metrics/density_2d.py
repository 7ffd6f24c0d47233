"""The model's density in the plane against the data: divergences by quadrature, cross entropy, and a picture."""

from __future__ import annotations

from collections.abc import Callable
from math import hypot, isinf

from PIL.Image import Image
from torch import Tensor

from ebmkit.errors import CapabilityError, DataError
from ebmkit.evaluation.plane import Window, log_density, values_at, window_around
from ebmkit.evaluation.plane_pictures import densities_picture
from ebmkit.evaluation.quadrature import Divergence, PlaneDensity, density, density_of_data, divergence
from ebmkit.evaluation.uncertainty import standard_error
from ebmkit.metrics.declarations.likelihood import PlaneConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Better, Estimate, Measured, Subject
from ebmkit.sampling.model import Model

LogDensity = Callable[[Tensor], Tensor]

WIDER = (1.3, 2.0, 3.0)
"""How much wider than all data the window may be, tried in turn, until the model's mass lies in it."""

FP32 = 1e-5
"""Least error of a divergence, nats: energies are in fp32."""

SHOWN, SHOWN_CELLS = 1.3, 240
"""Width of the window of a picture, of that around the data, at most; and its cells along a side."""


class Density2d:
    """Divergences in the plane; see `PlaneConfig`."""

    def __init__(self, config: PlaneConfig) -> None:
        self.config = config

    def measure(self, subject: Subject) -> Measured:
        """Returns what the density of the model is worth.

        Raises:
            DataError: the model's mass runs away from the data, or is finer than the cells.
            DivergenceError: an energy is not finite.
            CapabilityError: the energy is none of x alone.
        """
        model, held = subject.model, subject.held_out()
        times, window, found = self._density(model, held.x)
        estimates = {"cross entropy of held-out data": self._cross_entropy(subject, found, held.x)}
        known, notes = subject.data_log_density(), list[str]()
        if known is None:
            notes.append(
                "The density of these data is not known, so there is no divergence from it: of two models of the same "
                "data the one with the lower cross entropy is nearer, by just the difference."
            )
        else:
            try:
                against = divergence(found, known, window, tolerance=self.config.tolerance)
                estimates.update(divergence_estimates(against, self.config.n_cells**2))
            except DataError as error:
                notes.append(f"No divergence: {error}")
        return Measured(
            estimates=estimates,
            definition=(
                f"p = exp(−E/T)/Z, T = {model.temperature:g}, Z a sum over {self.config.n_cells}² cells of "
                f"{window}; ± of a divergence is a bound by cells thrice as wide, no standard error; to that of the "
                "cross entropy, −E log p, the standard error over held-out data is added."
            ),
            notes=tuple(notes),
            pictures={"densities": self._picture(model, known, held.x, times)},
        )

    def _density(self, model: Model, x: Tensor) -> tuple[float, Window, PlaneDensity]:
        """Returns the first window around the data in which the model has its mass, and its density there."""
        around = window_around(x)
        for times in WIDER:
            window = around.wider(times, self.config.n_cells)
            try:
                return times, window, self._on(model, window, self.config.tolerance)
            except DataError:
                if times == WIDER[-1]:
                    raise
        raise AssertionError("the last window returns or raises")

    def _on(self, model: Model, window: Window, tolerance: float) -> PlaneDensity:
        try:
            return density(
                model.view().energy, window, temperature=model.temperature, coordinates=model.coordinates,
                device=model.device, tolerance=tolerance,
            )  # fmt: skip
        except KeyError as error:
            raise CapabilityError(
                f"The energy of {model.name} needs {error}, which no x has by itself: it has no density of x alone."
            ) from error

    def _cross_entropy(self, subject: Subject, found: PlaneDensity, x: Tensor) -> Estimate:
        """Returns −E log p over data, nats."""
        model = subject.model
        values = values_at(
            model.view().energy, x, temperature=model.temperature, coordinates=model.coordinates, device=model.device
        )
        nats = -found.at(values)
        error = hypot(standard_error(nats), found.error + found.outside)
        return Estimate(value=float(nats.mean()), error=error, n=len(x), better="lower", unit="nats")

    def _picture(self, model: Model, known: LogDensity | None, x: Tensor, times: float) -> Image:
        """Returns the density of the model beside that of the data, or beside data where that is not known."""
        window = window_around(x).wider(min(times, SHOWN), SHOWN_CELLS)
        shown = log_density(
            model.view().energy, window, temperature=model.temperature, coordinates=model.coordinates,
            device=model.device,
        )  # fmt: skip
        if known is None:
            return densities_picture([("model density", shown)], window, [("held-out data", x)])
        return densities_picture([("data density", density_of_data(known, window)), ("model density", shown)], window)


def divergence_estimates(found: Divergence, n_cells: int) -> dict[str, Estimate]:
    """Returns both KLs, the total variation and the entropy of the data."""

    def estimate(value: float, error: float, unit: str = "nats", better: Better = "lower") -> Estimate:
        error = max(error, FP32)
        return Estimate(value=value, error=None if isinf(value) else error, n=n_cells, better=better, unit=unit)

    return {
        "KL(data ‖ model)": estimate(found.value, found.error),
        "KL(model ‖ data)": estimate(found.reverse, found.reverse_error),
        "total variation": estimate(found.total_variation, found.total_variation_error, unit=""),
        "entropy of the data": estimate(found.entropy, found.entropy_error, better=""),
    }


def build_density_2d(config: PlaneConfig, context: BuildContext) -> Density2d:
    """Builds the metric."""
    return Density2d(config)
