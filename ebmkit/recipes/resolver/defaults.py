"""Which part is added where nobody named one."""

from __future__ import annotations

from ebmkit.recipes.resolver.vectors import NAMES

DEFAULTS = {"data": "fashion-mini", "energy": "resnet", "buffer": "replay", "sampler": "sgld", "objective": "cd"}
DISCRETE = {"energy": "mlp", "sampler": "gibbs-with-gradients"}
"""Where x is discrete: no Langevin move leads from state to state, and lattices are too small for blocks of images."""


def default_part(table: str, has_vectors: bool, is_discrete: bool) -> str:
    """Returns the name of the part that a table has by default, "" where it has none.

    Args:
        table: of the part.
        has_vectors: data are known to be something else than images.
        is_discrete: x is.

    >>> default_part("sampler", True, False)
    'mala'
    """
    names = {**DEFAULTS, **(NAMES if has_vectors else {}), **(DISCRETE if is_discrete else {})}
    return names.get(table, "")
