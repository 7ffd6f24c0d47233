"""Folders of images, and the pictures in them."""

import numpy as np
import pytest
from PIL import Image

from ebmkit.data.declarations import FolderConfig
from ebmkit.data.folder import build_folder
from ebmkit.data.images import stack_images
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext


def picture(value=0, size=(5, 4), mode="RGB"):
    return Image.new(mode, size, value if mode == "L" else (value,) * len(mode))


def put(path, value=0, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(value, **settings).save(path)


def built(path, **settings):
    return build_folder(FolderConfig(path=str(path), **settings), BuildContext())


def test_a_flat_folder_has_no_labels(tmp_path):
    for value in (2, 1, 0):
        put(tmp_path / f"{value}.png", value)
    data = built(tmp_path)
    assert data.event_shape == (3, 4, 5) and data.y is None and data.n_classes == 0
    assert data.x[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_sub_folders_are_classes_taken_in_turn(tmp_path):
    for i in range(3):
        put(tmp_path / "cats" / f"{i}.png", i)
    put(tmp_path / "dogs" / "nested" / "0.PNG", 9)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "cats" / "notes.txt").write_text("not a picture")
    data = built(tmp_path)
    assert data.class_names == ("cats", "dogs") and data.n_classes == 2
    assert data.y.tolist() == [0, 1, 0, 0] and data.x[:, 0, 0, 0].tolist() == [0, 9, 1, 2]
    assert built(tmp_path, limit=2).y.tolist() == [0, 1]


def test_train_and_test_sub_folders_are_splits(tmp_path):
    for split, value in (("train", 1), ("test", 2)):
        for name in ("a", "b"):
            put(tmp_path / split / name / "0.png", value)
    train = built(tmp_path)
    assert train.class_names == ("a", "b") and train.x.unique().tolist() == [1]
    assert train.split("test").x.unique().tolist() == [2]
    with pytest.raises(DataError, match="has no test part"):
        built(tmp_path / "train").split("test")


def test_a_missing_half_is_named(tmp_path):
    put(tmp_path / "test" / "0.png")
    with pytest.raises(DataError, match="has no train part; found: test"):
        built(tmp_path)


def test_empty_absent_and_mixed_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        built(tmp_path)
    with pytest.raises(DataError, match=r"found none at .*--data folder:DIR"):
        built(tmp_path / "absent")
    with pytest.raises(DataError, match="found none at ''"):
        built("")
    put(tmp_path / "0.png")
    put(tmp_path / "cats" / "0.png")
    with pytest.raises(DataError, match="1 images beside the class folders cats"):
        built(tmp_path)


def test_another_size_needs_resize(tmp_path):
    put(tmp_path / "0.png", 7)
    put(tmp_path / "1.png", 8, size=(10, 9))
    with pytest.raises(DataError, match=r"1\.png is 9x10 pixels, 4x5 were asked for.*resize=true"):
        built(tmp_path)
    with pytest.raises(DataError, match="6x6 were asked for"):
        built(tmp_path, size=6)
    assert built(tmp_path, resize=True).event_shape == (3, 4, 5)
    data = built(tmp_path, size=6, resize=True)
    assert data.event_shape == (3, 6, 6) and data.x[:, 0, 3, 3].tolist() == [7, 8]


def test_other_channels_are_refused(tmp_path):
    put(tmp_path / "0.png", mode="L")
    assert built(tmp_path).event_shape == (1, 4, 5)
    with pytest.raises(DataError, match=r"1 channels, 3 were asked for.*data\.channels=1"):
        built(tmp_path, channels=3)
    put(tmp_path / "1.png", mode="RGB")
    with pytest.raises(DataError, match=r"1\.png has 3 channels, 1 were asked for"):
        built(tmp_path)


def test_alpha_is_refused(tmp_path):
    put(tmp_path / "0.png", mode="RGBA")
    with pytest.raises(DataError, match="mode RGBA"):
        built(tmp_path)


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_a_damaged_image_is_named(tmp_path, cut):
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "0.png").read_bytes()[:cut])
    with pytest.raises(DataError, match=r"1\.png is not a readable image"):
        built(tmp_path)


def test_grey_palette_and_bilevel_pictures_are_read():
    for mode, channels in (("1", 1), ("L", 1), ("P", 3), ("CMYK", 3)):
        assert stack_images([("it", Image.new(mode, (5, 4)))], 1).shape == (1, channels, 4, 5)


def test_no_pictures_make_an_empty_stack():
    assert stack_images([], 0, size=4, channels=3).shape == (0, 3, 4, 4)
