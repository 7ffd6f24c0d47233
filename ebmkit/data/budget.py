"""What data may take in memory, asked before it is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ebmkit.errors import DataError


def check_bytes(n_bytes: int, most: int, origin: object) -> None:
    """Raises DataError where values take more bytes in memory than `data.max_bytes` allows."""
    if n_bytes > most:
        raise DataError(
            f"{origin}: its values take {n_bytes:,} bytes in memory, and data.max_bytes allows {most:,}. If you trust "
            f"the file and have the memory, set data.max_bytes={n_bytes}. Data beyond memory go into shards: "
            "--data shards:FOLDER."
        )


def check_shape(shape: Sequence[int], item_bytes: int, most: int, origin: object) -> None:
    """Raises DataError where an array of a shape takes more bytes in memory than `data.max_bytes` allows."""
    check_bytes(math.prod(shape) * item_bytes, most, origin)
