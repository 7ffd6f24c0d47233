"""Whether a point that a part returns is like the one it must resemble."""

from __future__ import annotations

import torch

from ebmkit.data.spec import DataSpec
from ebmkit.errors import PluginError
from ebmkit.ops.discrete import hold
from ebmkit.point import Point
from ebmkit.training.checker.snapshots import of_point

SLACK = 1e-4
"""How far x may leave its bounds, as a share of them: rounding."""


def check_like(who: str, found: object, model: Point) -> Point:
    """Returns what a part returned where it has the rows, entries, shapes, dtypes and device of another point.

    Args:
        who: part and verb of the message, "Sampler 'mala' returned".
        found: by the part.
        model: that it must be like.

    Raises:
        PluginError: it has not.
    """
    if not isinstance(found, Point):
        raise PluginError(f"{who} {type(found).__name__}. It must be an ebmkit.Point.")
    if found.aux.keys() != model.aux.keys():
        have, wanted = (", ".join(sorted(p.aux)) or "none" for p in (found, model))
        raise PluginError(f"{who} a point with coordinates {have}, expected {wanted}. Keep them: point.replace(x=…).")
    for name, like in of_point(model).items():
        value = of_point(found)[name]
        if value.shape != like.shape:
            raise PluginError(
                f"{who} '{name}' of shape {tuple(value.shape)}, expected {tuple(like.shape)}. Keep rows and shape."
            )
        if value.dtype != like.dtype:
            raise PluginError(f"{who} '{name}' in {value.dtype}, expected {like.dtype}. Keep the dtype.")
        if value.device != like.device:
            raise PluginError(f"{who} '{name}' on {value.device}, expected {like.device}. Keep the device.")
    return found


def check_detached(who: str, found: Point) -> None:
    """Raises PluginError where a point carries a graph."""
    for name, value in of_point(found).items():
        if value.requires_grad:
            raise PluginError(f"{who} '{name}' with a graph: it requires a gradient. Detach it: {name}.detach().")


def check_finite(who: str, found: Point) -> None:
    """Raises PluginError where a point holds NaN or infinite values."""
    for name, value in of_point(found).items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise PluginError(f"{who} '{name}' that is not finite. Its values must be numbers.")


def check_within(who: str, found: Point, bounds: tuple[float, float] | None) -> None:
    """Raises PluginError where x lies outside its bounds."""
    if bounds is None or not found.x.numel():
        return
    low, high = bounds
    least, most = float(found.x.min()), float(found.x.max())
    slack = SLACK * (high - low)
    if least < low - slack or most > high + slack:
        raise PluginError(
            f"{who} x in [{least:.4g}, {most:.4g}], outside of [{low:g}, {high:g}]. Reflect or clamp x at its bounds."
        )


def check_discrete(who: str, found: Point, data: DataSpec | None) -> None:
    """Raises PluginError where discrete x has values that it cannot have."""
    if data is None or data.x_values == "real":
        return
    if not bool(hold(found.x, data.x_values, data.value_range)):
        raise PluginError(f"{who} x with values that {data.x_values} x cannot have. Keep x among its values.")
