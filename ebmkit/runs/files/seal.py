"""Seals: the size and SHA-256 of a file, by which damage is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from ebmkit.plain_files import opened

SELF = "sha256"
"""Where a JSON object holds the digest of all that is beside it."""


class Seal(NamedTuple):
    """What a file was when it was written.

    Attributes:
        size: bytes.
        sha256: of them, in hexadecimal digits.
    """

    size: int
    sha256: str


def seal(path: Path) -> Seal:
    """Returns the seal of a file; raises OSError where it cannot be read."""
    with opened(path) as file:
        return seal_of(file)


def seal_of(file: IO[bytes], most: float = float("inf")) -> Seal:
    """Returns the seal of the first bytes of an open file; of all where no number is given."""
    sha256, size = hashlib.sha256(), 0
    while block := file.read(int(min(2**20, most - size))):
        sha256.update(block)
        size += len(block)
    return Seal(size, sha256.hexdigest())


def damage(path: Path, sealed: Seal, *, grows: bool = False) -> str:
    """Returns what is wrong with a file, "" where it is what was sealed, or where it grows, begins with that.

    >>> damage(Path("nowhere"), Seal(3, "ab"))
    'it is gone'
    """
    try:
        with opened(path) as file:
            found = seal_of(file, sealed.size if grows else float("inf"))
    except FileNotFoundError:
        return "it is gone"
    except OSError as error:
        return str(error)
    if found.size != sealed.size:
        return f"it holds {found.size:,} bytes, and was written with {sealed.size:,}"
    return "" if found.sha256 == sealed.sha256 else "it is not what was written: its SHA-256 is another"


def self_sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a JSON object with the digest of all the rest of it."""
    rest = {key: value for key, value in values.items() if key != SELF}
    return {**rest, SELF: hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()}


def is_self_sealed(values: Mapping[str, Any]) -> bool:
    """Whether a JSON object is what `self_sealed` made.

    >>> is_self_sealed(self_sealed({"step": 3})), is_self_sealed({**self_sealed({"step": 3}), "step": 4})
    (True, False)
    """
    return bool(values.get(SELF) == self_sealed(values)[SELF])


def as_seals(values: Any) -> dict[str, Seal]:
    """Returns name → seal of what JSON holds of them; raises ValueError where it holds something else."""
    if not isinstance(values, Mapping):
        raise ValueError(f"expected names with sizes and digests, found {values!r}")
    found = dict[str, Seal]()
    for name, pair in values.items():
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and type(pair[0]) is int):
            raise ValueError(f"expected a size and a digest for {name}, found {pair!r}")
        found[name] = Seal(pair[0], str(pair[1]))
    return found
