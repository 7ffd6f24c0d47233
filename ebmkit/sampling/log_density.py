"""The log-density of an energy as a plain function, for samplers and optimisers that are not ebmkit's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol, overload

import numpy as np
import torch
from torch import Tensor, nn

from ebmkit.assembly.context import data_point
from ebmkit.energies.wrap import AnyEnergy, as_energy
from ebmkit.errors import DataError, RecipeError
from ebmkit.point import Point
from ebmkit.sampling.given import condition
from ebmkit.sampling.model import Model
from ebmkit.views.view import CallableView, FrozenView, view

Array = np.ndarray[Any, np.dtype[Any]]


class HasModel(Protocol):
    """What holds a model: a run."""

    @property
    def model(self) -> Model:
        """The model."""
        ...


class LogDensity:
    """x → log p(x) = −E(x)/T up to a constant; see `log_density`.

    Attributes:
        temperature: T.
        event_ndim: dimensions of one x.
        value_range: (lowest, highest) value of x, beyond which log p is −∞; None where nothing bounds it.
    """

    def __init__(
        self,
        energy: AnyEnergy,
        *,
        temperature: float,
        event_shape: tuple[int, ...] | None = None,
        model: Model | None = None,
        fixed: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.temperature = temperature
        self.event_ndim = 1 if event_shape is None else len(event_shape)
        self.value_range = None if model is None or model.context().x_is_noised else model.data.value_range
        self._energy = energy
        self._event_shape = event_shape
        self._coordinates = () if model is None else model.coordinates
        self._fixed = dict(fixed or {})
        self._seen: FrozenView | CallableView | None = None

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Array) -> Any: ...

    def __call__(self, x: Any) -> Any:
        """Returns log p, nats: a scalar of one x [*event], and [B] of rows [B, *event]; of the kind and dtype of x.

        Of a tensor that requires a gradient it has one; the weights of the energy are constants.
        """
        given = _tensor(x)
        rows = self._rows(given)
        if isinstance(x, Tensor) and x.requires_grad and torch.is_grad_enabled():
            value = self._bounded(-self._view(rows).constant(self._point(rows)) / self.temperature, rows)
        else:
            rows = rows.detach()
            value = self._bounded(-self._view(rows).energy(self._point(rows)) / self.temperature, rows)
        return _like(x, value if given.ndim > self.event_ndim else value[0])

    @overload
    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]: ...
    @overload
    def value_and_gradient(self, x: Array) -> tuple[Any, Array]: ...

    def value_and_gradient(self, x: Any) -> tuple[Any, Any]:
        """Returns log p and its gradient in x, [*event] or [B, *event], per data unit, from one pass."""
        given = _tensor(x)
        rows = self._rows(given.detach()).requires_grad_()
        with torch.enable_grad():
            value = self._bounded(-self._view(rows).constant(self._point(rows)) / self.temperature, rows)
            (gradient,) = torch.autograd.grad(value.sum(), rows)
        if given.ndim == self.event_ndim:
            return _like(x, value.detach()[0]), _like(x, gradient[0])
        return _like(x, value.detach()), _like(x, gradient)

    def _rows(self, x: Tensor) -> Tensor:
        """Returns x as rows [B, *event], where and as the energy wants them."""
        event = x.shape if x.ndim == self.event_ndim else x.shape[1:]
        right = tuple(event) == self._event_shape if self._event_shape else len(event) == self.event_ndim
        if not right:
            wanted = ", ".join(map(str, self._event_shape or ("features",)))
            raise DataError(f"log_density takes x [{wanted}] or [B, {wanted}], found {list(x.shape)}.")
        device, dtype = self._wanted
        rows = x if x.ndim > self.event_ndim else x[None]
        return rows.to(device=device or x.device, dtype=dtype or x.dtype)

    def _point(self, rows: Tensor) -> Point:
        held = {name: value.to(rows.device).expand(len(rows), *value.shape) for name, value in self._fixed.items()}
        return data_point(self._coordinates, rows).with_aux(**held)

    def _view(self, rows: Tensor) -> FrozenView | CallableView:
        """Returns what is asked: a copy in evaluation mode, which follows the weights of the energy."""
        if self._seen is None:
            self._seen = view(as_energy(self._energy, self._point(rows.detach())))
        return self._seen

    def _bounded(self, value: Tensor, rows: Tensor) -> Tensor:
        if self.value_range is None:
            return value
        low, high = self.value_range
        inside = ((rows >= low) & (rows <= high)).flatten(1).all(dim=1)
        return torch.where(inside, value, -torch.inf)

    @cached_property
    def _wanted(self) -> tuple[torch.device | None, torch.dtype | None]:
        """Where the weights are and of what dtype, None where the energy has none."""
        weights = self._energy.parameters() if isinstance(self._energy, nn.Module) else ()
        first = next((weight for weight in weights if weight.is_floating_point()), None)
        return (None, None) if first is None else (first.device, first.dtype)


def log_density(
    energy: Model | HasModel | AnyEnergy,
    *,
    temperature: float | None = None,
    event_shape: tuple[int, ...] | None = None,
    given: Mapping[str, str] | None = None,
    strength: float | None = None,
) -> LogDensity:
    """Returns log p(x) up to a constant as a plain function, for samplers and optimisers that are not ebmkit's.

    It takes one x [*event] or rows [B, *event], a tensor or an array of numpy, and answers in kind;
    `.value_and_gradient(x)` returns the gradient too. Where a model has coordinates, x is one of clean data: a noise
    level is the clean one.

    Args:
        energy: a model or run, an energy, or a module or function over x.
        temperature: T of p ∝ exp(−E/T); unset: that of the model, 1 of a bare energy.
        event_shape: of one x; unset: that of the model; of a bare energy, x is a vector of any length.
        given: coordinate → value, or a latent, that a model holds, as in `ebmkit.generate`: {"label": "3"}.
        strength: of a given latent, nats.

    Raises:
        RecipeError: the temperature is not positive; something is given beside a bare energy, or makes no sense.

    >>> import numpy as np, ebmkit
    >>> log_p = ebmkit.log_density(lambda x: x.square().sum(dim=1) / 2)
    >>> log_p.value_and_gradient(np.array([1.0, 2.0]))
    (-2.5, array([-1., -2.]))
    """
    inner = getattr(energy, "model", energy)
    model = inner if isinstance(inner, Model) else None
    if temperature is not None and not temperature > 0:
        raise RecipeError(f"A temperature is above 0, found {temperature}.")
    if model is not None:
        return LogDensity(
            model.energy,
            temperature=model.temperature if temperature is None else temperature,
            event_shape=tuple(model.data.event_shape),
            model=model,
            fixed=condition(model, given or {}, strength),
        )
    if given or strength is not None:
        raise RecipeError("Values are given to a model, which knows its coordinates; this is a bare energy.")
    return LogDensity(energy, temperature=temperature or 1.0, event_shape=event_shape)  # type: ignore[arg-type]


def _tensor(x: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x
    array = np.array(x)
    return torch.from_numpy(array if array.dtype.kind == "f" else array.astype(np.float64))


def _like(x: Any, answer: Tensor) -> Any:
    """Returns an answer as what was asked: a tensor, or an array of numpy (a scalar: a float), of the dtype of x."""
    if isinstance(x, Tensor):
        return answer.to(device=x.device, dtype=x.dtype)
    array = np.asarray(x)
    found = answer.detach().cpu().numpy().astype(array.dtype if array.dtype.kind == "f" else np.float64)
    return found if found.ndim else float(found)
