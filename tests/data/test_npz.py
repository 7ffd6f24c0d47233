"""Sets in npz files."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebmkit.data.arrays import quantise
from ebmkit.data.declarations import NpzConfig
from ebmkit.data.npz import build_npz
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)


def built(path, **settings):
    return build_npz(NpzConfig(path=str(path), **settings), BuildContext())


def saved(folder, name="set.npz", **arrays):
    np.savez(folder / name, **arrays)
    return folder / name


def test_images_come_back_channels_first(tmp_path):
    data = built(saved(tmp_path, x=IMAGES, y=np.arange(6)))
    batch = data.batch(torch.arange(6), torch.Generator().manual_seed(0))
    assert np.array_equal(quantise(batch.x).numpy(), IMAGES.transpose(0, 3, 1, 2))
    assert data.n_classes == 6 and data.event_shape == (3, 4, 5)


def test_floats_keep_their_values(tmp_path):
    x = np.random.default_rng(0).normal(size=(7, 2))
    data = built(saved(tmp_path, x=x))
    batch = data.batch(torch.arange(7), torch.Generator())
    assert np.array_equal(batch.x.numpy(), x.astype(np.float32)) and batch.y is None and data.value_range is None


def test_the_test_part_is_another_file(tmp_path):
    train, test = saved(tmp_path, x=IMAGES), saved(tmp_path, "test.npz", x=IMAGES[:2])
    assert len(built(train, test_path=str(test)).split("test")) == 2
    with pytest.raises(DataError, match=r"--set data\.test_path=FILE"):
        built(train).split("test")


def test_no_path_and_no_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="Write --data npz:FILE"):
        build_npz(NpzConfig(), BuildContext())
    with pytest.raises(DataError, match="no such file"):
        built(tmp_path / "absent.npz")


def test_another_array_name_is_reported(tmp_path):
    with pytest.raises(DataError, match="no array 'x'; found: images, labels"):
        built(saved(tmp_path, images=IMAGES, labels=np.arange(6)))


def test_a_single_array_is_not_an_archive(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    with pytest.raises(DataError, match="one array, not an npz archive"):
        built(tmp_path / "x.npy")


def test_pickled_objects_are_refused(tmp_path):
    with pytest.raises(DataError, match="not a readable npz"):
        built(saved(tmp_path, x=np.array([[{}]], dtype=object)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_data_or_a_data_error(tmp_path, data):
    content = bytearray(saved(tmp_path, "whole.npz", x=IMAGES).read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "damaged.npz"
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), position]))])
    try:
        assert len(built(path)) > 0
    except DataError as error:
        assert "damaged.npz" in str(error)
