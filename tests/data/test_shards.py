"""Data beyond memory: shards are read as they are wanted, and what is damaged in them is named and left out."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.data.shards import build_shards
from ebmkit.data.shards_config import ShardsConfig
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext
from ebmkit.training.batches import Batches

N_SHARDS, N_ROWS = 5, 6


def npz_folder(folder: Path) -> Path:
    folder.mkdir()
    for i in range(N_SHARDS):
        first = i * N_ROWS
        x = np.arange(first, first + N_ROWS, dtype=np.uint8)[:, None, None, None].repeat(2, 2).repeat(2, 3)
        np.savez(folder / f"{i:03d}.npz", x=x, y=np.arange(first, first + N_ROWS) % 3)
    return folder


def png(value: int, side: int = 2) -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side), value).save(file, "PNG")
    return file.getvalue()


def tar_folder(folder: Path, spoilt: tuple[int, ...] = ()) -> Path:
    folder.mkdir()
    for i in range(N_SHARDS):
        with tarfile.open(folder / f"{i:03d}.tar", "w") as archive:
            for value in range(i * N_ROWS, (i + 1) * N_ROWS):
                content = b"no picture" if value in spoilt else png(value)
                for name, data in ((f"a/{value:04d}.png", content), (f"a/{value:04d}.cls", b"%d" % (value % 3))):
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))
    return folder


def built(folder: Path, **settings):
    return build_shards(ShardsConfig(path=str(folder), n_classes=3, mixed=2, **settings), BuildContext())


def values(batch) -> list[int]:
    return (batch.x[:, 0, 0, 0] * 256).int().tolist()


@pytest.mark.parametrize("make", [npz_folder, tar_folder])
def test_rows_go_through_the_shards_in_the_order_of_their_names(make, tmp_path: Path) -> None:
    data = built(make(tmp_path / "set"))
    assert len(data) == N_SHARDS * N_ROWS
    assert data.event_shape == (1, 2, 2)
    assert data.value_range == (0.0, 1.0)
    rows = torch.tensor([29, 0, 7, 7, 13])
    batch = data.batch(rows, torch.Generator())
    assert values(batch) == rows.tolist()
    assert batch.y.tolist() == (rows % 3).tolist()
    assert len(data._read) <= 2 * data.mixed


@pytest.mark.parametrize("make", [npz_folder, tar_folder])
def test_an_epoch_of_batches_visits_each_datum_once(make, tmp_path: Path) -> None:
    data = built(make(tmp_path / "set"))
    batches = Batches(data, batch_size=4, seed=3, device=torch.device("cpu"))
    seen = [value for step in range(1, 16) for value in values(batches.batch(step))]
    assert sorted(seen[:30]) == list(range(30)) == sorted(seen[30:])
    assert seen[:30] != seen[30:]


def test_a_batch_does_not_depend_on_what_was_read_before(tmp_path: Path) -> None:
    folder = tar_folder(tmp_path / "set", spoilt=(4, 12))
    batches, fresh = (Batches(built(folder), batch_size=4, seed=3, device=torch.device("cpu")) for _ in range(2))
    before = [batches.batch(step) for step in range(1, 10)]
    assert fresh.batch(9).x.equal(before[-1].x)


def test_a_damaged_datum_is_named_counted_and_replaced_by_the_next_of_its_shard(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = built(tar_folder(tmp_path / "set", spoilt=(4, 5, 12)))
    assert values(data.batch(torch.arange(30), torch.Generator()))[3:7] == [3, 0, 0, 6]
    assert sorted(name.rpartition("/")[2] for name in data.damaged) == [
        "000.tar, datum 4", "000.tar, datum 5", "002.tar, datum 0",
    ]  # fmt: skip
    assert "a/0004" in caplog.text


def test_more_damaged_data_than_may_be_stop_the_run(tmp_path: Path) -> None:
    data = built(tar_folder(tmp_path / "set", spoilt=(4, 5, 12)), max_errors=2)
    with pytest.raises(DataError, match=r"3 data cannot be used, and data\.max_errors allows 2"):
        data.batch(torch.arange(30), torch.Generator())


def test_values_that_cannot_be_data_are_damaged_data(tmp_path: Path) -> None:
    x = np.linspace(0, 1, 12, dtype=np.float32).reshape(6, 2)
    x[1, 0], x[2, 1] = np.nan, 3.0
    np.savez(tmp_path / "0.npz", x=x, y=np.array([0, 1, 2, 7, 1, 0]))
    data = built(tmp_path, in_unit_range=True)
    assert torch.isfinite(data.batch(torch.arange(6), torch.Generator()).x).all()
    assert sorted(data.damaged.values()) == ["NaN or infinite values", "label 7, and n_classes is 3",
                                             "values outside of [0, 1]"]  # fmt: skip


def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"96 bytes in memory, and data\.max_bytes allows 95"):
        built(npz_folder(tmp_path / "set"), max_bytes=95)


def test_folders_that_are_no_sets(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs a folder of shards"):
        built(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no shards"):
        built(tmp_path)
    (tmp_path / "x.tar").write_bytes(b"x" * 2_000)
    with pytest.raises(DataError, match=r"x\.tar is no readable tar file"):
        built(tmp_path)
    (tmp_path / "x.npz").touch()
    with pytest.raises(DataError, match="several kinds"):
        built(tmp_path)


def test_shards_of_different_shapes_are_refused(tmp_path: Path) -> None:
    for i in (1, 2):
        np.savez(tmp_path / f"{i}.npz", x=np.zeros((3, i), dtype=np.float32))
    with pytest.raises(DataError, match=r"2\.npz holds data of shape \(2,\)"):
        built(tmp_path)
