"""The idx format and the sets that come in it."""

import gzip
import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ebmkit.data.files_config import FilesConfig
from ebmkit.data.idx import DIGITS, FILES, GARMENTS, build_fashion_mnist, build_mnist, parse_idx, read_idx
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext


def idx(values):
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for split, n in (("train", 20), ("test", 10)):
        images, labels = FILES[split]
        (tmp_path / images).write_bytes(idx(rng.integers(0, 256, (n, 4, 5), dtype=np.uint8)))
        (tmp_path / f"{labels}.gz").write_bytes(gzip.compress(idx(np.arange(n, dtype=np.uint8) % 10)))
    return tmp_path


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, max_side=5)))
def test_parsing_undoes_writing(values):
    assert np.array_equal(parse_idx(io.BytesIO(idx(values)), "file", values.ndim), values)


@given(st.data(), arrays(np.uint8, (3, 2, 2)))
def test_a_shortened_or_lengthened_file_is_refused(data, values):
    content = idx(values)
    cut = data.draw(st.integers(0, len(content) - 1))
    for wrong in (content[:cut], content + b"x"):
        with pytest.raises(DataError, match="not a readable idx file"):
            parse_idx(io.BytesIO(wrong), "file", 3)


@pytest.mark.parametrize("position", [0, 1, 2, 3])
def test_another_header_is_refused(position):
    content = bytearray(idx(np.zeros((3, 2, 2), dtype=np.uint8)))
    content[position] ^= 1
    with pytest.raises(DataError, match="not a readable idx file"):
        parse_idx(io.BytesIO(bytes(content)), "file", 3)


@pytest.mark.parametrize("damage", [lambda c: c[:-9], lambda c: c[:12] + b"\xff" * 8 + c[20:], lambda c: c[:3]])
def test_a_damaged_gzip_file_is_refused(tmp_path, damage):
    path = tmp_path / "images.gz"
    path.write_bytes(damage(gzip.compress(idx(np.arange(200, dtype=np.uint8)))))
    with pytest.raises(DataError, match=r"images\.gz is not a readable idx file"):
        read_idx(path, 1)


@pytest.mark.parametrize(("build", "names"), [(build_mnist, DIGITS), (build_fashion_mnist, GARMENTS)])
def test_plain_and_gzipped_files_load_with_both_splits(root, build, names):
    train = build(FilesConfig(root=str(root)), BuildContext())
    test = train.split("test")
    assert (len(train), len(test)) == (20, 10)
    assert train.event_shape == test.event_shape == (1, 4, 5)
    assert train.n_classes == 10 and train.class_names == names and train.value_range == (0.0, 1.0)
    assert test.split("train").y.tolist() == [i % 10 for i in range(20)]


def test_too_large_labels_and_too_few_labels_are_refused(root):
    labels = root / f"{FILES['train'][1]}.gz"
    for wrong, message in ((np.full(20, 10), "labels must lie in 0 to 9"), (np.zeros(19), "one label a row")):
        labels.write_bytes(idx(wrong.astype(np.uint8)))
        with pytest.raises(DataError, match=message):
            build_mnist(FilesConfig(root=str(root)), BuildContext())


def test_missing_files_are_named_with_their_source(tmp_path):
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\[\.gz\].*Get them from https://"):
        build_mnist(FilesConfig(root=str(tmp_path), split="test"), BuildContext())
