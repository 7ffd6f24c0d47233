"""Settings for data that are vectors and not images, where nobody set them.

The defaults of the parts are for images. A vector, of two values say, is learnt at temperature 1 by a small network, in
more and larger steps; and where its entries are far from a standard normal, network and moves are told their scale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ebmkit.plugins.scale import Scale

WHY = "the data are vectors, not images"

NAMES: Mapping[str, str] = {"energy": "mlp", "sampler": "mala"}
"""Default parts, where they are others than those for images."""
TABLES: Mapping[str, Mapping[str, object]] = {
    "run": {"steps": 2000, "batch_size": 256},
    "pictures": {"every": 500, "n": 256},
}
OPTIM: Mapping[str, object] = {"lr": 2e-3, "schedule": "cosine"}
"""Of `[optim.energy]`."""
PARTS: Mapping[tuple[str, str], Mapping[str, object]] = {
    ("energy", "mlp"): {"first_gain": 3.0},
    ("sampler", "mala"): {"moves": 10},
    ("sampler", "sgld"): {"moves": 10},
    ("sampler", "underdamped"): {"moves": 10},
    ("sampler", "hmc"): {"moves": 1},
    ("sampler", "tempering"): {"moves": 3, "n_temperatures": 4},
    ("buffer", "replay"): {"capacity": 512},
    ("objective", "energy-l2"): {"alpha": 0.01},
}
OF_SCALE = frozenset({"scale", "mean", "std"})
"""Settings that come from the scale of the data."""


def are_vectors(event_shape: tuple[int, ...] | None) -> bool:
    """Returns whether data are known to be something else than images [channels, height, width]."""
    return event_shape is not None and len(event_shape) != 3


def settings_of_part(key: tuple[str, str], names: Collection[str], scale: Scale | None) -> dict[str, object]:
    """Returns what a part of a run on vectors has where nobody sets it.

    Args:
        key: its table and name.
        names: of its settings.
        scale: of the data, where it is far from that of a standard normal.
    """
    settings = {name: value for name, value in PARTS.get(key, {}).items() if name in names}
    if scale is not None and key[0] == "sampler" and "scale" in names:
        settings["scale"] = list(scale.sd)
    if scale is not None and key[0] == "energy" and {"mean", "std"} <= set(names):
        settings |= {"mean": list(scale.mean), "std": list(scale.sd)}
    return settings
