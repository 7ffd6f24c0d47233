"""Hub sets, with a stand-in for the `datasets` library."""

import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from ebmkit.data.hub import build_hf
from ebmkit.data.hub_config import HfConfig
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext


class DatasetsError(Exception):
    pass


class Rows:
    """What this package uses of `datasets.Dataset`."""

    def __init__(self, columns, names=None):
        self.columns = columns
        self.column_names = list(columns)
        self.features = {"label": SimpleNamespace(names=names) if names else SimpleNamespace()}

    def __len__(self):
        return len(self.columns["label"])

    def __getitem__(self, column):
        return self.columns[column]

    def select(self, rows):
        return Rows(
            {k: [v[i] for i in rows] for k, v in self.columns.items()}, self.features["label"].__dict__.get("names")
        )


PICTURES = [Image.new("L", (5, 4), value) for value in (10, 20, 30)]


@pytest.fixture
def hub(monkeypatch):
    sets = {("digits", "train"): Rows({"image": PICTURES, "label": [0, 1, 0]}, ["zero", "one"])}
    sets["digits", "test"] = Rows({"image": PICTURES[:1], "label": [1]}, ["zero", "one"])
    asked = []

    def load_dataset(name, subset, split):
        asked.append((name, subset, split))
        if (name, split) not in sets:
            raise DatasetsError("it is not on the hub")
        return sets[name, split]

    library = SimpleNamespace(load_dataset=load_dataset, exceptions=SimpleNamespace(DatasetsError=DatasetsError))
    monkeypatch.setitem(sys.modules, "datasets", library)
    return SimpleNamespace(sets=sets, asked=asked)


def built(name="digits", **settings):
    return build_hf(HfConfig(name=name, **settings), BuildContext())


def test_pictures_labels_and_names_are_taken(hub):
    data = built()
    assert data.event_shape == (1, 4, 5) and data.x[:, 0, 0, 0].tolist() == [10, 20, 30]
    assert data.y.tolist() == [0, 1, 0] and data.class_names == ("zero", "one") and data.n_classes == 2
    assert len(data.split("test")) == 1
    assert hub.asked == [("digits", None, "train"), ("digits", None, "test")]


def test_limit_and_no_labels(hub):
    data = built(limit=2, label_column="")
    assert len(data) == 2 and data.y is None and data.n_classes == 0
    assert len(built(limit=99)) == 3


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"Install ebmkit-core\[hf\]"):
        built()


def test_what_is_not_there_is_named(hub):
    with pytest.raises(DataError, match="--data hf:NAME"):
        built(name="")
    with pytest.raises(DataError, match="'train' of 'letters' cannot be loaded: it is not on the hub"):
        built(name="letters")
    with pytest.raises(DataError, match="no column 'img'; found: image, label"):
        built(image_column="img")


def test_columns_that_hold_something_else_are_refused(hub):
    hub.sets["words", "train"] = Rows({"image": ["a"], "label": [0]})
    with pytest.raises(DataError, match="must hold pictures, found str in row 0"):
        built(name="words")
    hub.sets["named", "train"] = Rows({"image": PICTURES[:1], "label": ["zero"]})
    with pytest.raises(DataError, match="whole numbers"):
        built(name="named")
    hub.sets["hidden", "test"] = Rows({"image": PICTURES[:1], "label": [-1]}, ["zero", "one"])
    with pytest.raises(DataError, match="labels must lie in 0 to 1"):
        built(name="hidden", split="test")


def test_a_picture_that_cannot_be_decoded_is_reported(hub):
    def column():
        yield PICTURES[0]
        raise OSError("truncated")

    hub.sets["cut", "train"] = Rows({"image": column(), "label": [0, 1]})
    with pytest.raises(DataError, match="cannot be read: truncated"):
        built(name="cut")
