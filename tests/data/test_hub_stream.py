"""Hub sets that are read while training, from files that are written here; no network."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import ebmkit
from ebmkit.data.hub_config import HfStreamConfig
from ebmkit.data.hub_stream import HubShard, build_hf_stream
from ebmkit.data.shards import ShardData, shard_data
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch
from ebmkit.processes import World
from ebmkit.protocols.dataset import InShards
from ebmkit.runs.files.data_files import data_seals
from ebmkit.training.batches import Batches

SIZES = (4, 5, 6)
N = sum(SIZES)


def png(value: int, side: int = 2) -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side), value).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return pytest.importorskip("datasets", reason="needs the library 'datasets': pip install 'ebmkit-core[hf]'")


def written(library: Any, folder: Path, kind: str = "parquet", *, spoilt: Any = (), split: str = "train") -> Path:
    """Writes a set of 15 grey pictures, each of the value of its row, in three files."""
    features = library.Features({"image": library.Image(), "label": library.ClassLabel(names=["even", "odd"])})
    (folder / "data").mkdir(parents=True, exist_ok=True)
    first = 0
    for i, n in enumerate(SIZES):
        values = range(first, first + n)
        images = [{"bytes": b"no picture" if v in spoilt else png(v), "path": None} for v in values]
        rows = library.Dataset.from_dict({"image": images, "label": [v % 2 for v in values]}, features=features)
        path = folder / "data" / f"{split}-{i:05d}-of-00003.{kind}"
        rows.to_parquet(path) if kind == "parquet" else arrow(library, rows, path)
        first += n
    return folder


def arrow(library: Any, rows: Any, path: Path) -> None:
    with library.arrow_writer.ArrowWriter(features=rows.features, path=str(path)) as writer:
        for row in rows.cast_column("image", library.Image(decode=False)):
            writer.write(row)
        writer.finalize()


def built(folder: Path, **settings: Any) -> ShardData:
    return build_hf_stream(HfStreamConfig(name=str(folder), **settings), BuildContext())


def values(batch: Batch) -> list[int]:
    return [int(v) for v in (batch.x[:, 0, 0, 0] * 256)]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_rows_go_through_the_files_in_order(kind: str, library: Any, tmp_path: Path) -> None:
    data = built(written(library, tmp_path / "set", kind))
    assert isinstance(data, InShards) and data.shard_sizes == SIZES and len(data) == N
    assert data.event_shape == (1, 2, 2) and data.value_range == (0.0, 1.0) and data.class_names == ("even", "odd")
    batch = data.batch(torch.tensor([14, 0, 4]), torch.Generator())
    assert values(batch) == [14, 0, 4]
    assert batch.y is not None and batch.y.tolist() == [0, 0, 0]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_an_epoch_visits_each_datum_once_on_any_number_of_processes(size: int, library: Any, tmp_path: Path) -> None:
    folder, found = written(library, tmp_path / "set"), list[int]()
    for rank in range(size):
        world = World(rank=rank, size=size)
        batches = Batches(built(folder), batch_size=3, seed=1, device=torch.device("cpu"), world=world)
        own = [batches._rows(step) for step in range(1, N // 3 + 1)]
        found += [row for rows in own for row in world.share(rows).tolist()]
    assert sorted(found) == list(range(N))


def test_a_step_is_the_same_wherever_one_begins(library: Any, tmp_path: Path) -> None:
    folder = written(library, tmp_path / "set")

    def batch(step: int, before: int) -> tuple[list[int], list[float]]:
        batches = Batches(built(folder), batch_size=4, seed=1, device=torch.device("cpu"))
        for earlier in range(1, before + 1):
            batches.batch(earlier)
        found = batches.batch(step)
        return values(found), found.x.flatten().tolist()

    assert batch(6, before=5) == batch(6, before=0)


def test_damaged_data_are_named_and_left_out(library: Any, tmp_path: Path) -> None:
    folder = written(library, tmp_path / "set", spoilt=(5,))
    data = built(folder)
    assert values(data.batch(torch.arange(N), torch.Generator())) == [6 if v == 5 else v for v in range(N)]
    ((name, why),) = data.damaged.items()
    assert "file 1, datum 1" in name and "no picture in PNG" in why and "BytesIO" not in why
    with pytest.raises(DataError, match="max_errors allows 0"):
        built(folder, max_errors=0).batch(torch.arange(N), torch.Generator())


def test_a_first_image_that_is_damaged_is_passed_over(library: Any, tmp_path: Path) -> None:
    assert built(written(library, tmp_path / "set", spoilt=(0, 1))).event_shape == (1, 2, 2)
    with pytest.raises(DataError, match="None of the first"):
        built(written(library, tmp_path / "none", spoilt=tuple(range(N))))


def test_a_file_that_is_cut_short_is_named(library: Any, tmp_path: Path) -> None:
    folder = written(library, tmp_path / "set")
    data = built(folder)
    file = folder / "data" / "train-00002-of-00003.parquet"
    file.write_bytes(file.read_bytes()[:100])
    assert values(data.batch(torch.tensor([0]), torch.Generator())) == [0]
    with pytest.raises(DataError, match="file 2 cannot be read"):
        data.batch(torch.tensor([14]), torch.Generator())


def test_the_other_split(library: Any, tmp_path: Path) -> None:
    folder = written(library, tmp_path / "set")
    written(library, folder, split="test")
    data = built(folder)
    assert data.split("train") is data and len(data.split("test")) == N
    assert data.split("test").config.split == "test"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_column": "picture"}, "has no column 'picture'; found: image, label"),
        ({"image_column": "label"}, "holds int, and no picture"),
        ({"split": "test"}, "cannot be streamed"),
        ({"max_bytes": 10}, "max_bytes allows 10"),
    ],
)
def test_what_cannot_be_streamed_is_said(settings: Any, message: str, library: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        built(written(library, tmp_path / "set"), **settings)


def test_without_labels(library: Any, tmp_path: Path) -> None:
    data = built(written(library, tmp_path / "set"), label_column="")
    assert data.n_classes == 0 and data.batch(torch.tensor([3]), torch.Generator()).y is None


def test_a_run_of_it_is_made_and_goes_on(library: Any, tmp_path: Path) -> None:
    recipe = f"""
[run]
steps = 2
batch_size = 4
[data]
use = "hf-stream"
name = "{written(library, tmp_path / "set").as_posix()}"
[energy]
use = "mlp"
widths = [4]
[[sampler]]
use = "sgld"
moves = 1
[pictures]
every = 9
"""
    ebmkit.run(recipe, tmp_path / "run", note=lambda text: None)
    said = list[str]()
    assert ebmkit.resume(tmp_path / "run", steps=3, note=said.append).step == 3
    assert not [line for line in said if "damaged" in line]


def test_its_shards_are_no_files_that_a_run_remembers() -> None:
    shard = HubShard(
        path=Path("set (train), file 0"), rows=[], n_rows=2, event_shape=(1, 2, 2), config=HfStreamConfig()
    )
    data = shard_data((shard,), HfStreamConfig(), BuildContext(), "set", value_range=None, n_classes=0,
                      class_names=(), open_split=lambda name: data)  # fmt: skip
    assert data_seals(data) == {}


def test_a_set_without_a_name_and_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="--data hf-stream:NAME"):
        build_hf_stream(HfStreamConfig(), BuildContext())
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"Install ebmkit-core\[hf\]"):
        build_hf_stream(HfStreamConfig(name="x"), BuildContext())
