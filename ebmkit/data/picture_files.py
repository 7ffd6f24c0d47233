"""Picture files: of a few known formats, and measured before they are decoded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM")
"""What is opened, whatever a file is called. Others are handed to programs: PostScript to an interpreter."""

MOST_PIXELS = 2**26
"""Of one picture: 8,192 × 8,192."""

UNREADABLE = (
    OSError, EOFError, IndexError, KeyError, MemoryError, OverflowError, RuntimeError, SyntaxError, TypeError,
    ValueError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises for a file that is no picture, by its documentation and by experiment."""


@contextmanager
def opened_picture(file: Path | IO[bytes], most_pixels: int = MOST_PIXELS) -> Iterator[Image.Image]:
    """Within it, a picture is open; its values are decoded when they are asked for.

    Raises:
        OSError: it is of another format, or has more pixels than may be. Decoding raises what is in `UNREADABLE`.
    """
    with _known(file) as picture:
        if picture.width * picture.height > most_pixels:
            raise OSError(
                f"it has {picture.width:,} × {picture.height:,} pixels, and at most {most_pixels:,} are decoded"
            )
        yield picture


def _known(file: Path | IO[bytes]) -> Image.Image:
    """Opens a picture; raises OSError where it is of no known format."""
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        if isinstance(file, Path):
            raise
        raise OSError(f"it is no picture in {', '.join(FORMATS)}") from None  # Pillow names an address in memory
