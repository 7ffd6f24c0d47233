"""Where a model runs, and how precise its gradients are."""

from __future__ import annotations

import torch

from ebmkit.errors import RecipeError
from ebmkit.views.view import Precision


def choose_precision(asked: str, event_shape: tuple[int, ...]) -> Precision:
    """Returns the precision of gradients in sampling: bf16 for images where it is left to us, else fp32."""
    if asked == "auto":
        return "bf16" if len(event_shape) == 3 else "fp32"
    return "bf16" if asked == "bf16" else "fp32"


def choose_device(name: str) -> torch.device:
    """Returns a device that can be used.

    Raises:
        RecipeError: it is unknown, or there is none here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        (torch.ones(1, device=device) + 1).tolist()  # some devices compute nothing, or give nothing back
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(". ")
        raise RecipeError(f"Device '{name}' cannot be used here: {first}. Use --device auto or cpu.") from error
    return device
