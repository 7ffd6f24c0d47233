"""A file of which no more is read at a time, nor in all, than may be: archives claim sizes of their own."""

from __future__ import annotations

import gzip
import tarfile
from typing import IO, cast


class MeasuredFile:
    """Reads from a file, and raises OSError where more is asked for than may be.

    Args:
        inner: the file.
        most_at_once: bytes of one read.
        most: bytes in all; a compressed file may say anything of that.
    """

    def __init__(self, inner: IO[bytes] | gzip.GzipFile, most_at_once: int, most: int) -> None:
        self.inner, self.most_at_once, self.most = inner, most_at_once, most

    def __enter__(self) -> MeasuredFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.inner.close()

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes."""
        if not 0 <= size <= self.most_at_once:
            raise OSError(f"{size:,} bytes are asked for at once, and {self.most_at_once:,} are the most")
        self._check(self.inner.tell())
        return self.inner.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        """Goes to a place, counted from the start."""
        self._check(place if not whence else self.most + 1)
        return self.inner.seek(place)

    def tell(self) -> int:
        """Returns the place of the next byte."""
        return self.inner.tell()

    def _check(self, place: int) -> None:
        if place > self.most:
            raise OSError(f"it is longer than {self.most:,} bytes, which are the most")


def opened_tar(file: MeasuredFile) -> tarfile.TarFile:
    """Returns an archive that is not compressed itself."""
    return tarfile.open(fileobj=cast(IO[bytes], file), mode="r:")
