"""Nothing that is not finite is ever saved, or sampled from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import torch
from torch import Tensor, nn

from ebmkit.errors import CheckpointError, DivergenceError
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.training.split import whole

WORDS = {"buffer": "the buffer of the chains", "tuning": "the tuning of the sampler"}


def is_finite(tensor: Tensor) -> bool:
    """Whether all values of a tensor are finite; one pass, unless the sum of finite values is beyond its type.

    >>> is_finite(torch.tensor([1.0, 2.0])), is_finite(torch.tensor([1.0, float("nan")]))
    (True, False)
    """
    if not (tensor.is_floating_point() or tensor.is_complex()) or not tensor.numel():
        return True
    return bool(torch.isfinite(tensor.detach().sum())) or bool(torch.isfinite(tensor.detach()).all())


def not_finite(tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """Yields the names of tensors that hold a value that is not finite."""
    yield from (name for name, tensor in tensors.items() if not is_finite(tensor))


def open_names(modules: Mapping[str, nn.Module]) -> frozenset[str]:
    """Returns "OWNER.NAME" of what is not finite before training, as the −∞ of a mask: it is not held to be a fault."""
    return frozenset(
        f"{owner}.{name}"
        for owner, module in modules.items()
        for name, tensor in module.state_dict().items()
        if not is_finite(whole(tensor))
    )


def check_finite(saved: Saved, open: Collection[str]) -> None:
    """Raises DivergenceError where something is not finite that is about to be saved.

    Args:
        saved: the checkpoint.
        open: what may be so, as "OWNER.NAME".
    """
    for file, tensors in saved.tensors.items():
        kind, _, owner = file.rpartition(".")
        wrong = [n for n in not_finite(tensors) if f"{owner}.{n}" not in open]
        if wrong:
            part = {"ema": f"the averages of {owner}", "optim": f"the optimiser of {owner}"}.get(kind)
            raise DivergenceError(
                f"Step {saved.step}: {part or WORDS.get(file, file)} holds values that are not finite "
                f"({_listed(wrong)}). Nothing of this step was saved; the checkpoint before it stays. Lower the "
                "learning rate, or bound the gradient by optim.OWNER.clip; look at a buffer of a network of your own."
            )


def check_weights(owner: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Raises CheckpointError where weights that a module is about to take are not finite, which it was before."""
    wrong = [n for n in not_finite(tensors) if f"{owner}.{n}" not in open_names({owner: module})]
    if wrong:
        raise CheckpointError(
            f"The saved weights of '{owner}' are not finite ({_listed(wrong)}): there is no model to sample from or to "
            "judge. Train it anew, with a lower learning rate."
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
