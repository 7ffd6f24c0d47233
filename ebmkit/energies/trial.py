"""Asking a stranger's module or function once, to see what it takes, and leaving it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ebmkit.errors import CapabilityError, EbmkitError
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy


def name_of(function: object) -> str:
    """Returns what messages call a module or function."""
    if isinstance(function, nn.Module):
        return type(function).__name__
    name = str(getattr(function, "__name__", type(function).__name__))
    return "The function" if name == "<lambda>" else name


@contextmanager
def untouched(module: object, device: torch.device) -> Iterator[None]:
    """Within it a module is in evaluation mode and no graph is made; modes, buffers and random streams come back."""
    modules = list(module.modules()) if isinstance(module, nn.Module) else []
    modes = [part.training for part in modules]
    buffers = [(buffer, buffer.detach().clone()) for part in modules for buffer in part.buffers(recurse=False)]
    cards = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cards), torch.no_grad():
        try:
            for part in modules:
                part.training = False
            yield
        finally:
            for part, mode in zip(modules, modes, strict=True):
                part.training = mode
            for buffer, before in buffers:
                buffer.copy_(before)


def tried(ask: Energy, point: Point) -> object:
    """Returns the answer of an energy, or its error; one of our own, about a shape or coordinate, goes on."""
    try:
        return ask(point)
    except EbmkitError:
        raise
    except Exception as error:  # a stranger's function: whether it can be asked like this is what we want to know
        return error


def neither(given: object, point: Point, with_point: object, with_x: object) -> CapabilityError:
    """Returns the error where neither a point nor x worked, with the reason that matters, if that can be told."""
    shape = list(point.x.shape)
    wants_x = isinstance(with_point, Exception) and "Point" in str(with_point)
    wants_points = isinstance(with_x, AttributeError) and "'Tensor' object" in str(with_x)
    if wants_x and not wants_points:
        why = f"x {shape}: {_said(with_x)}. Start from x of the shape that it takes"
    elif wants_points and not wants_x:
        have = ", ".join(point.aux) or "none"
        why = f"a Point with x {shape} and coordinates {have}: {_said(with_point)}"
    else:
        why = f"a Point with x {shape}: {_said(with_point)}; nor x alone: {_said(with_x)}"
    why += _of_weights(given, point)
    wanted = "An energy takes x [B, *event] or a Point, and returns [B] nats."
    return CapabilityError(f"{name_of(given)} could not be asked about {why}. {wanted}")


def _of_weights(given: object, point: Point) -> str:
    """Returns what to do where the weights of a module have another dtype than x, else nothing."""
    first = next(given.parameters(), None) if isinstance(given, nn.Module) else None
    if first is None or first.dtype == point.x.dtype or not first.dtype.is_floating_point:
        return ""
    return f". Its weights are {first.dtype} and x is {point.x.dtype}: give both one dtype, as module.float() does"


def _said(answer: object) -> str:
    if not isinstance(answer, Exception):
        return f"it returned {type(answer).__name__}"
    text = str(answer).strip()
    return f"{type(answer).__name__}: {text.splitlines()[0] if text else ''}".rstrip(".")


def not_callable(given: object) -> str:
    """Returns what is wrong with something that is no function at all."""
    inside = " Give its .energy." if callable(getattr(given, "energy", None)) else ""
    return f"An energy is a module or function of x or of a Point, found {type(given).__name__}.{inside}"
