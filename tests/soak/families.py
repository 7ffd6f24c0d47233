"""Small runs of every family, each with a checkpoint every other step and pictures: what faults are tried on."""

from __future__ import annotations

from typing import Any

COMMON: dict[str, Any] = {
    "log": {"every": 1},
    "checkpoint": {"every": 2},
    "pictures": {"every": 4, "n": 4},
}
RUN = {"steps": 8, "batch_size": 8, "engine": "eager", "checked_steps": 0}
IMAGES = {"use": "fashion-mini", "limit": 50}
SMALL = {"use": "resnet", "widths": [4, 8]}

FAMILIES: dict[str, dict[str, Any]] = {
    "persistent chains in the plane": {
        "data": {"use": "toy", "density": "rings"}, "energy": {"use": "mlp", "widths": [8]},
        "buffer": {"use": "replay", "capacity": 32},
        "sampler": [{"use": "mala", "moves": 3, "adapt_every": 2, "adapt": "dual-averaging"}],
    },
    "images, augmented chains": {
        "data": IMAGES, "energy": SMALL, "buffer": {"use": "replay", "capacity": 32, "reinit": 0.2},
        "sampler": [{"use": "augment"}, {"use": "sgld", "moves": 2}],
        "objective": [{"use": "cd"}, {"use": "energy-l2"}],
        "optim": {"energy": {"warmup": 2, "schedule": "linear"}},
    },
    "labels, rows of bytes": {
        "data": IMAGES, "energy": SMALL,
        "buffer": {"use": "replay", "capacity": 64, "storage": "uint8", "place": "host"},
        "coordinate": [{"use": "label"}], "sampler": [{"use": "sgld", "moves": 2}],
    },
    "momenta": {
        "data": {"use": "toy", "density": "moons"}, "energy": {"use": "mlp", "widths": [8]},
        "buffer": {"use": "replay", "capacity": 32}, "sampler": [{"use": "underdamped", "moves": 3}],
    },
    "a tail with its graph, and reference rows": {
        "data": {"use": "toy", "density": "moons"}, "energy": {"use": "mlp", "widths": [8]},
        "objective": [{"use": "improved-cd"}], "buffer": {"use": "replay", "capacity": 256},
    },
    "rollbacks": {
        "run": {"rollbacks": 2}, "data": {"use": "toy", "density": "rings"}, "energy": {"use": "mlp", "widths": [8]},
        "sampler": [{"use": "sgld", "moves": 3}],
    },
}  # fmt: skip


def family(name: str) -> dict[str, Any]:
    """Returns the recipe of a family."""
    found = FAMILIES[name]
    return {**COMMON, **found, "run": {**RUN, **found.get("run", {})}}
