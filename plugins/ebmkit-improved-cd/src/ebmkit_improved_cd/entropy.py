"""The entropy of a sampler, estimated from how far its points are from earlier ones."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit import at_least_fp32


def log_nearest_distance(x: Tensor, reference: Tensor, epsilon: float) -> Tensor:
    """Returns log(min_j ‖x_i − c_j‖₂ + ε) for each row [N]; its mean is the entropy of x per dimension, but a constant.

    The neighbour is found by `torch.cdist` and held constant; the distance to it is then taken anew, from the
    difference, since the matrix product in `cdist` loses the digits of small distances. An exact copy of a reference
    has the finite value log ε and no gradient.

    Args:
        x: [N, *event], data units.
        reference: c [M, *event], data units; constant.
        epsilon: ε, data units.

    Source: Kozachenko, Leonenko, 1987 (nearest-neighbour entropy); Du, Li, Tenenbaum, Mordatch, ICML 2021, section 3.2,
    without the ε.

    >>> import math
    >>> at = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    >>> log_nearest_distance(at, torch.zeros(1, 2), math.exp(-2))
    tensor([-2.0000,  1.6361])
    """
    points = at_least_fp32(x.flatten(1))
    others = reference.detach().flatten(1).to(points.dtype)
    nearest = torch.cdist(points.detach(), others).argmin(dim=1)
    return torch.log(torch.linalg.vector_norm(points - others[nearest], dim=1) + epsilon)
