"""CIFAR batches are read, and a pickle runs nothing."""

import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit.data.unpickle import read_cifar_batch
from ebmkit.errors import DataError

DATA = np.random.default_rng(0).integers(0, 256, (3, 12), dtype=np.uint8)
LABELS = [7, 0, 9]


def python2_batch(data=DATA, labels=LABELS):
    """Returns the bytes that Python 2 wrote for {"data": array, "labels": list}: byte strings, old numpy names."""
    rows, columns = data.shape
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"K" + bytes([rows]) + b"M" + struct.pack("<H", columns) + b"\x86"
    content = b"T" + struct.pack("<i", data.nbytes) + data.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01" + shape + dtype
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(U\x04data" + array + b"\x89" + content + b"tbU\x06labels" + numbers + b"u."


def python3_batch(protocol=4, **entries):
    return pickle.dumps({"data": DATA, "labels": LABELS, **entries}, protocol=protocol)


@pytest.mark.parametrize("content", [python2_batch(), python3_batch(3), python3_batch(4)])
def test_both_pythons_batches_are_read(content):
    batch = read_cifar_batch(content, "batch")
    assert np.array_equal(batch.data, DATA) and batch.labels.tolist() == LABELS


def test_the_hand_written_batch_is_what_pickle_itself_reads():
    batch = pickle.loads(python2_batch(), encoding="bytes")
    assert np.array_equal(batch[b"data"], DATA) and batch[b"labels"] == LABELS


class Evil:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [os.mkdir, eval, getattr, np.zeros, np.load])
def test_a_pickle_that_calls_something_is_refused_and_nothing_runs(tmp_path, monkeypatch, function, protocol):
    monkeypatch.chdir(tmp_path)
    argument = "__import__('os').mkdir('ran')" if function is eval else "ran"
    content = python3_batch(protocol, extra=Evil(function, argument))
    with pytest.raises(DataError, match=r"batch is not a CIFAR batch: it asks for .*, which is not allowed"):
        read_cifar_batch(content, "batch")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps([1]), "a dictionary was expected, found list"),
        (pickle.dumps({"data": 3, "labels": []}), "'data' must be an array"),
        (python3_batch(data=DATA.astype(np.int32)), "two-axis array of bytes"),
        (python3_batch(data=DATA[0]), "two-axis array of bytes"),
        (python3_batch(data=np.asfortranarray(DATA)), "does not hold"),
        (python3_batch(labels="abc"), "'labels' must be a list"),
        (python3_batch(labels=[-1, 0, 0]), "'labels' must be a list"),
        (pickle.dumps({"labels": LABELS}), "'data' must be an array"),
        (python2_batch().replace(b"(U\x02u1K\x00K\x01tR", b")\x81"), "two-axis array of bytes"),
        (b"", "not a CIFAR batch"),
        (b"PK\x03\x04", "not a CIFAR batch"),
    ],
)
def test_another_pickle_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        read_cifar_batch(content, "batch")


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([python2_batch(), python3_batch()]))
def test_a_damaged_batch_is_a_batch_or_a_data_error(data, content):
    position = data.draw(st.integers(0, len(content) - 1))
    damaged = bytearray(content)
    damaged[position] ^= data.draw(st.integers(1, 255))
    for candidate in (bytes(damaged), content[:position]):
        try:
            assert read_cifar_batch(candidate, "batch").data.dtype == np.uint8
        except DataError as error:
            assert str(error).startswith("batch is not a CIFAR batch")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_noise_is_refused(content):
    with pytest.raises(DataError):
        read_cifar_batch(content, "batch")
