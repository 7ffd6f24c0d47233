"""Whether a batch is what its data set declared."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.errors import DataError
from ebmkit.ops.discrete import hold
from ebmkit.point import Batch

SLACK = 1e-4
"""How far x may leave its value range, as a share of it: rounding."""


def check_batch(label: str, batch: Batch, data: DataSpec | None, device: torch.device) -> None:
    """Raises DataError where a batch is not what was declared.

    Args:
        label: what messages call the data set.
        batch: of a training step.
        data: what the data set says of itself; None where nobody knows.
        device: of the run.
    """
    x = batch.x
    _check_place(label, "x", x, device)
    if x.requires_grad:
        raise DataError(f"{label} gave x that requires a gradient. Data are constants: give x.detach().")
    if not x.is_floating_point() or x.dtype in (torch.float16, torch.bfloat16):
        raise DataError(f"{label} gave x of {x.dtype}. Data come in float32: convert them with x.float().")
    if data is not None:
        _check_declared(label, x, data)
    _check_finite(label, x)
    if data is not None:
        _check_values(label, x, data)
        _check_labels(label, batch.y, data, device)


def _check_place(label: str, name: str, tensor: Tensor, device: torch.device) -> None:
    if tensor.device.type != device.type:
        raise DataError(
            f"{label} gave {name} on {tensor.device}, but the run is on {device}. Move the batch there: "
            f"{name}.to(device)."
        )


def _check_declared(label: str, x: Tensor, data: DataSpec) -> None:
    if x.shape[1:] != data.event_shape:
        raise DataError(
            f"{label} declares data of shape {_shown(data.event_shape)}, but gave x of shape {_shown(x.shape)}, rows "
            "first. Make the two agree."
        )
    if x.dtype != torch.float32:
        raise DataError(f"{label} gave x of {x.dtype}, but a run is in float32. Convert the data with x.float().")


def _check_finite(label: str, x: Tensor) -> None:
    rows = ~torch.isfinite(x).flatten(1).all(dim=1)
    if bool(rows.any()):
        what = "NaN" if bool(x.isnan().any()) else "infinite values"
        raise DataError(
            f"{label} gave {what} in {int(rows.sum())} of {len(x)} rows. The data are at fault, not the training: "
            "remove or repair those rows."
        )


def _check_values(label: str, x: Tensor, data: DataSpec) -> None:
    if data.x_values != "real":
        if not bool(hold(x, data.x_values, data.value_range)):
            raise DataError(
                f"{label} declares {data.x_values} x, but gave other values. Give those values alone, or declare "
                'x_values = "real".'
            )
        return
    if data.value_range is None or not x.numel():
        return
    low, high = data.value_range
    found, slack = (float(x.min()), float(x.max())), SLACK * (high - low)
    if found[0] < low - slack or found[1] > high + slack:
        raise DataError(
            f"{label} declares values in [{low:g}, {high:g}], but gave x in [{found[0]:.4g}, {found[1]:.4g}]. Chains "
            "are kept in the declared range: scale the data, or declare the right value_range."
        )


def _check_labels(label: str, y: Tensor | None, data: DataSpec, device: torch.device) -> None:
    if not data.n_classes:
        return
    if y is None:
        raise DataError(f"{label} declares {data.n_classes} classes, but gave no labels. Give y, or n_classes = 0.")
    _check_place(label, "y", y, device)
    if y.dtype != torch.int64:
        raise DataError(f"{label} gave labels of {y.dtype}. A label is a class index in int64: y.long().")
    if len(y) and (int(y.min()) < 0 or int(y.max()) >= data.n_classes):
        raise DataError(
            f"{label} declares {data.n_classes} classes, so that labels are 0 to {data.n_classes - 1}, but gave labels "
            f"from {int(y.min())} to {int(y.max())}. Count them from 0, or declare the right n_classes."
        )


def _shown(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
