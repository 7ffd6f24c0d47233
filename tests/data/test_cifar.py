"""CIFAR-10 in each of its forms gives the same set."""

import io
import pickle
import tarfile

import numpy as np
import pytest

from ebmkit.data.cifar import ARCHIVE, BATCHES, FOLDER, build_cifar10
from ebmkit.data.files_config import FilesConfig
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

N = 4
NAMES = (*BATCHES["train"], *BATCHES["test"])
IMAGES = np.random.default_rng(0).integers(0, 256, (6, N, 3, 32, 32), dtype=np.uint8)
LABELS = np.random.default_rng(1).integers(0, 10, (6, N))


def contents():
    for name, images, labels in zip(NAMES, IMAGES, LABELS, strict=True):
        entries = {b"data": images.reshape(N, 3072), b"labels": labels.tolist(), b"batch_label": b"one of six"}
        yield name, pickle.dumps(entries, protocol=4)


def write_batches(root):
    root.mkdir(exist_ok=True)
    for name, content in contents():
        (root / name).write_bytes(content)


def write_archive(root):
    with tarfile.open(root / ARCHIVE, "w:gz") as archive:
        for name, content in reversed(list(contents())):
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def write_npz(root, channels_last=False):
    for split, rows in (("train", slice(0, 5)), ("test", slice(5, 6))):
        x = IMAGES[rows].reshape(-1, 3, 32, 32)
        np.savez(
            root / f"cifar10_{split}.npz", x=x.transpose(0, 2, 3, 1) if channels_last else x, y=LABELS[rows].ravel()
        )


def built(root, **settings):
    return build_cifar10(FilesConfig(root=str(root), **settings), BuildContext())


@pytest.mark.parametrize(
    "write",
    [
        lambda root: write_batches(root / FOLDER),
        write_batches,
        write_archive,
        write_npz,
        lambda root: write_npz(root, channels_last=True),
    ],
    ids=["folder", "loose", "archive", "npz", "npz-channels-last"],
)
def test_every_form_gives_the_same_rows(tmp_path, write):
    write(tmp_path)
    train = built(tmp_path)
    test = train.split("test")
    assert np.array_equal(train.x.numpy(), IMAGES[:5].reshape(-1, 3, 32, 32))
    assert np.array_equal(train.y.numpy(), LABELS[:5].ravel())
    assert np.array_equal(test.x.numpy(), IMAGES[5]) and test.y.tolist() == LABELS[5].tolist()
    assert train.n_classes == len(train.class_names) == 10


def test_an_unpacked_set_goes_before_the_archive(tmp_path):
    write_batches(tmp_path)
    (tmp_path / ARCHIVE).write_bytes(b"damaged")
    assert len(built(tmp_path, limit=3)) == 3


def test_a_damaged_archive_is_refused(tmp_path):
    write_archive(tmp_path)
    path = tmp_path / ARCHIVE
    whole = path.read_bytes()
    for damaged in (b"no archive", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="not a readable CIFAR-10 archive"):
            built(tmp_path)


def test_an_archive_without_a_batch_is_refused(tmp_path):
    with tarfile.open(tmp_path / ARCHIVE, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(f"{FOLDER}/readme.html"))
    with pytest.raises(DataError, match="data_batch_1"):
        built(tmp_path)


def test_one_row_a_label_is_needed(tmp_path):
    write_batches(tmp_path)
    (tmp_path / "data_batch_2").write_bytes(
        pickle.dumps({"data": IMAGES[1].reshape(N, 3072), "labels": [1]}, protocol=4)
    )
    with pytest.raises(DataError, match=r"data_batch_2.*found data \(4, 3072\) and 1 labels"):
        built(tmp_path)


@pytest.mark.parametrize("arrays", [{"x": IMAGES[0]}, {"x": IMAGES[0] / 255, "y": LABELS[0]}, {"x": IMAGES[0, :, 0]}])
def test_an_npz_of_another_set_is_refused(tmp_path, arrays):
    np.savez(tmp_path / "cifar10_train.npz", **arrays)
    with pytest.raises(DataError, match="CIFAR-10 has x uint8"):
        built(tmp_path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"data_batch_5.*cifar-10-python.tar.gz.*cifar10_train.npz.*cs\.toronto\.edu"):
        built(tmp_path)
