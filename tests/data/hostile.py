"""Files that a stranger sends to fill a memory, and a process that opens each of them with little memory to give.

python tests/data/hostile.py FOLDER
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ebmkit.cli.main import main
from ebmkit.data.cifar import ARCHIVE, build_cifar10
from ebmkit.data.declarations import FolderConfig, NpzConfig
from ebmkit.data.files_config import FilesConfig
from ebmkit.data.folder import build_folder
from ebmkit.data.idx import FILES, build_mnist
from ebmkit.data.npz import build_npz
from ebmkit.data.shards import build_shards
from ebmkit.data.shards_config import ShardsConfig
from ebmkit.errors import EbmkitError
from ebmkit.plugins.context import BuildContext
from ebmkit.runs.files.seal import self_sealed

ABOVE = 3 * 2**29
"""Bytes that may be taken beyond what a process that has imported everything takes: 1.5 GiB."""

CONTEXT = BuildContext()
GIANT = 2**32
"""Bytes that the files claim, or unpack to."""


def zeros_deflated(n: int, wbits: int) -> bytes:
    """Returns n zeros, deflated: a megabyte of them is packed once, and repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    first = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * (n // 2**20 - 1) + packer.compress(bytes(n % 2**20)) + packer.flush()


def npy_header(shape: tuple[int, ...]) -> bytes:
    file = BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


def npz_of(path: Path, content: bytes, size: int, method: int = 8) -> Path:
    """Writes a zip of one member x.npy whose packed content is given; its checksum is wrong, and is asked for last."""
    name = b"x.npy"
    said = min(size, 2**32 - 2)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, method, 0, 0, 0, len(content), said, len(name), 0)
    central = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, method, 0, 0, 0, len(content), said,
                          len(name), 0, 0, 0, 0, 0, 0)  # fmt: skip
    body = local + name + content
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central) + len(name), len(body), 0)
    path.write_bytes(body + central + name + end)
    return path


def npz_bomb(folder: Path) -> None:
    header = npy_header((GIANT // 784, 1, 28, 28))
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = raw.compress(header) + raw.flush(zlib.Z_FULL_FLUSH)
    path = npz_of(folder / "x.npz", start + zeros_deflated(GIANT - 2**20, -15), GIANT)
    build_npz(NpzConfig(path=str(path)), CONTEXT)


def npz_header(folder: Path) -> None:
    claim = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1)
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = raw.compress(claim) + raw.flush(zlib.Z_FULL_FLUSH)
    build_npz(NpzConfig(path=str(npz_of(folder / "x.npz", start + zeros_deflated(GIANT - 2**20, -15), GIANT))), CONTEXT)


def npz_by_lzma(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", npy_header((2**20, 4)) + bytes(2**22))
    build_npz(NpzConfig(path=str(folder / "x.npz")), CONTEXT)


def npz_shard(folder: Path) -> None:
    npz_of(folder / "x.npz", zlib.compress(npy_header((GIANT // 784, 1, 28, 28)), 9)[2:-4], GIANT)
    build_shards(ShardsConfig(path=str(folder)), CONTEXT)


def idx_bomb(folder: Path) -> None:
    images, labels = FILES["train"]
    header = b"\x00\x00\x08\x03" + struct.pack(">3I", GIANT // 784, 28, 28)
    (folder / f"{images}.gz").write_bytes(gzip.compress(header) + zeros_deflated(GIANT - 2**20, 31))
    (folder / labels).write_bytes(b"\x00\x00\x08\x01" + struct.pack(">I", 2) + b"\x00\x01")
    build_mnist(FilesConfig(root=str(folder)), CONTEXT)


def idx_that_goes_on(folder: Path) -> None:
    images, labels = FILES["train"]
    header = b"\x00\x00\x08\x03" + struct.pack(">3I", 2, 28, 28)
    (folder / f"{images}.gz").write_bytes(gzip.compress(header) + zeros_deflated(GIANT - 2**20, 31))
    (folder / labels).write_bytes(b"\x00\x00\x08\x01" + struct.pack(">I", 2) + b"\x00\x01")
    build_mnist(FilesConfig(root=str(folder)), CONTEXT)


def tar_with_a_long_name(folder: Path) -> None:
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, GIANT
    content = gzip.compress(entry.tobuf(tarfile.GNU_FORMAT)) + zeros_deflated(GIANT, 31)
    (folder / ARCHIVE).write_bytes(content)
    build_cifar10(FilesConfig(root=str(folder)), CONTEXT)


def tar_with_a_large_batch(folder: Path) -> None:
    entry = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
    entry.size = GIANT
    (folder / ARCHIVE).write_bytes(gzip.compress(entry.tobuf()) + zeros_deflated(GIANT, 31))
    build_cifar10(FilesConfig(root=str(folder)), CONTEXT)


def tar_shard(folder: Path) -> None:
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, GIANT
    with (folder / "x.tar").open("wb") as file:
        file.write(entry.tobuf(tarfile.GNU_FORMAT))
        file.truncate(GIANT + 1024)  # a hole: it takes no disk
    build_shards(ShardsConfig(path=str(folder)), CONTEXT)


def pickle_of(content: bytes) -> Callable[[Path], None]:
    def opened(folder: Path) -> None:
        for i in range(1, 6):
            (folder / f"data_batch_{i}").write_bytes(content)
        build_cifar10(FilesConfig(root=str(folder)), CONTEXT)

    return opened


def large_batch_file(folder: Path) -> None:
    for i in range(1, 6):
        with (folder / f"data_batch_{i}").open("wb") as file:
            file.truncate(2**40)
    build_cifar10(FilesConfig(root=str(folder)), CONTEXT)


def many_large_pictures(folder: Path) -> None:
    Image.new("L", (6_000, 6_000)).save(folder / "0.png")
    for i in range(1, 200):
        os.link(folder / "0.png", folder / f"{i}.png")
    build_folder(FolderConfig(path=str(folder)), CONTEXT)


def one_larger_picture(folder: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", struct.pack(">2I5B", 60_000, 60_000, 8, 2, 0, 0, 0)),
                       (b"IDAT", zeros_deflated(2**26, 15)), (b"IEND", b"")):  # fmt: skip
        header += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    (folder / "0.png").write_bytes(header)
    build_folder(FolderConfig(path=str(folder)), CONTEXT)


def size_of_a_setting(folder: Path) -> None:
    Image.new("L", (8, 8)).save(folder / "0.png")
    build_folder(FolderConfig(path=str(folder), size=10**6, resize=True), CONTEXT)


def command(*line: str, data: str = "toy:moons") -> Callable[[Path], None]:
    def called(folder: Path) -> None:
        usual = ["run", "--energy", "mlp", "--sampler", "sgld", "--data", data, "--steps", "1"]
        _must_fail(main([*usual, "--out", str(folder / "x"), *line]))

    return called


def checkpoint_of(spoil: Callable[[Path], None]) -> Callable[[Path], None]:
    def called(folder: Path) -> None:
        run = folder / "run"
        small = ["--set", "energy.widths=[8]", "--set", "run.batch_size=8", "--set", "buffer.capacity=16",
                 "--set", "log.tensorboard=false"]  # fmt: skip
        made = ["run", "--energy", "mlp", "--sampler", "sgld", "--data", "toy:moons", "--steps", "1", "--out", str(run)]
        assert main([*made, *small]) == 0
        spoil(next((run / "checkpoints").iterdir()))
        _must_fail(main(["sample", str(run), "--out", str(folder / "x.npz")]))

    return called


def a_giant_datum(checkpoint: Path) -> None:
    path = checkpoint / "state.json"
    state = json.loads(path.read_text())
    data = {**state["data"], "event_shape": [3, 4_000, 4_000]}
    path.write_text(json.dumps(self_sealed({**state, "data": data})))


def a_giant_header(checkpoint: Path) -> None:
    with (checkpoint / "ema.energy.safetensors").open("r+b") as file:
        file.write(struct.pack("<Q", 2**40))


def deep_json(checkpoint: Path) -> None:
    (checkpoint / "state.json").write_text("[" * 100_000)


def long_json(checkpoint: Path) -> None:
    with (checkpoint / "state.json").open("r+b") as file:
        file.truncate(2**40)


HOSTILE: dict[str, Callable[[Path], None]] = {
    "npz that unpacks to 4 GiB": npz_bomb,
    "npz whose header has 4 GiB": npz_header,
    "npz packed by lzma": npz_by_lzma,
    "npz shard of 4 GiB": npz_shard,
    "idx.gz that unpacks to 4 GiB": idx_bomb,
    "idx.gz that says two pictures and goes on for 4 GiB": idx_that_goes_on,
    "tar.gz with a name of 4 GiB": tar_with_a_long_name,
    "tar.gz with a batch of 4 GiB": tar_with_a_large_batch,
    "tar shard with a name of 4 GiB": tar_shard,
    "pickle of ten bytes that claims 6.4 GiB": pickle_of(b"\x80\x05\x96" + struct.pack("<Q", 6_871_947_673) + b"."),
    "pickle of 60 million empty tables": pickle_of(b"\x80\x02" + b"}" * 60_000_000 + b"."),
    "batches of a TiB": large_batch_file,
    "200 pictures of 36 megapixels": many_large_pictures,
    "a picture of 3,600 megapixels": one_larger_picture,
    "data.size of a million": size_of_a_setting,
    "widths of a billion": command("--set", "energy.widths=[1000000000, 1000000000]"),
    "a batch of 10^12": command("--set", "run.batch_size=1000000000000"),
    "a buffer of 10^12": command("--set", "buffer.capacity=1000000000000"),
    "a set of 10^15": command("--set", "data.n=1000000000000000"),
    "a datum of 48 million entries": checkpoint_of(a_giant_datum),
    "a header of weights of a TiB": checkpoint_of(a_giant_header),
    "a checkpoint nested 100,000 deep": checkpoint_of(deep_json),
    "a checkpoint of a TiB of text": checkpoint_of(long_json),
}


def _must_fail(status: int) -> None:
    if status == 2:
        raise EbmkitError("refused")


def tried(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Opens each file; yields its name, what came of it, and by how many bytes the process grew at most."""
    torch.zeros(1)
    for i, (name, opening) in enumerate(HOSTILE.items()):
        place = folder / str(i)
        place.mkdir()
        try:
            opening(place)
            found = "ACCEPTED"
        except EbmkitError:
            found = "refused"
        except BaseException as error:
            found = f"{type(error).__name__}: {error}"[:200]
        yield name, found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def limited() -> None:
    """Allows this process no more than `ABOVE` bytes beyond what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + ABOVE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert main(["list"]) == 0
    limited()
    accepted = 0
    for name, found, most in tried(Path(sys.argv[1])):
        accepted += found != "refused"
        sys.stderr.write(f"{found}: {name}; at most {most / 2**30:.2f} GiB so far\n")
    sys.exit(bool(accepted))
