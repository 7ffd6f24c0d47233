"""One compiled function of value and gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.display.doing import doing
from ebmkit.errors import CapabilityError
from ebmkit.views.agreement import disagreement
from ebmkit.views.specialised import Function


def compiled(function: Function, tensors: tuple[Tensor, ...], tolerance: float) -> Function:
    """Returns a version of a function compiled for the shapes of these tensors.

    The function is traced down to the operators that it runs, its own backward pass among them, and the whole is given
    to the compiler behind `torch.compile`, which fuses across both passes: differentiating outside of a compiled module
    would keep what the backward pass reads, and gain a third of it. What `torch.compile` itself adds, a look at all
    weights before each call, was a fifth of a small network's gradient. Parameters and buffers that the function closes
    over stay its inputs, so that what is copied into them counts at the next call; Python numbers become constants.

    Args:
        function: of tensors; it may differentiate inside.
        tensors: it is compiled for their shapes and types, and tried on their values.
        tolerance: how far a compiled row may be from the eager one, relative to its norm.

    Raises:
        CapabilityError: it cannot be compiled here, or computes something else when it is.
    """
    doing("compiling the energy")
    from torch import _inductor as inductor  # a second to import, for who compiles alone
    from torch.fx.experimental.proxy_tensor import make_fx

    expected = function(*tensors)  # what is wrong with the energy itself is said by its own error
    try:
        traced = make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*tensors)
        with torch.no_grad(), torch.autocast(tensors[0].device.type, enabled=False):
            fused = inductor.compile(traced, list(tensors))
        found = _without_gradients(fused, tensors)
    except Exception as error:  # a compiler may raise anything
        raise CapabilityError(
            f'The energy cannot be compiled: {_reason(error)} Use engine = "eager"; compiling needs a C++ compiler, '
            "and an energy whose code does not depend on the values of tensors."
        ) from error
    for name, off in zip(("energies", "gradients"), disagreement(found, expected), strict=False):
        if off > tolerance:
            raise CapabilityError(
                f"Compiled, the {name} differ by up to {off:.1%} a row from the eager ones (at most {tolerance:.1%} is "
                'rounding). Use engine = "eager"; an energy that draws random numbers or keeps state cannot be '
                "compiled."
            )
    return lambda *tensors: _without_gradients(fused, tensors)


def _without_gradients(function: Function, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Runs what is compiled under one global state, whatever the caller's: another one would compile it again."""
    with torch.no_grad(), torch.autocast(tensors[0].device.type, enabled=False):
        return tuple(function(*(tensor.detach() for tensor in tensors)))


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{(lines or [type(error).__name__])[0].rstrip('.')}."
