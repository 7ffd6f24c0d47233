"""What lies in a folder of a stranger is opened only where it is a plain file."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ebmkit import plain_files
from ebmkit.errors import CheckpointError


def link(path: Path) -> None:
    path.with_name("outside").write_text("mine")
    path.symlink_to("outside")


def hanging_link(path: Path) -> None:
    path.symlink_to("nowhere")


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def bound_socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)
    os.chdir(before)


FOREIGN = [link, hanging_link, os.mkfifo, Path.mkdir, device, bound_socket]
OPENINGS = [plain_files.opened, plain_files.opened_new, plain_files.opened_to_append]


@pytest.mark.parametrize("make", FOREIGN)
@pytest.mark.parametrize("opening", OPENINGS)
def test_nothing_but_a_plain_file_is_opened(
    make: Callable[[Path], None], opening: Callable[[Path], object], tmp_path: Path
) -> None:
    make(tmp_path / "file")
    with pytest.raises(OSError):
        opening(tmp_path / "file")
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "outside").exists() or (tmp_path / "outside").read_text() == "mine"


def test_a_file_with_a_second_name_is_not_appended_to(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    os.link(tmp_path / "outside", tmp_path / "file")
    with pytest.raises(OSError, match="second name"):
        plain_files.opened_to_append(tmp_path / "file")


def test_a_plain_file_is_written_read_and_appended_to(tmp_path: Path) -> None:
    plain_files.write_new(tmp_path / "file", "a\n")
    with plain_files.opened_to_append(tmp_path / "file") as file:
        file.write(b"b")
    assert plain_files.read_text(tmp_path / "file") == "a\nb"
    assert list(plain_files.read_lines(tmp_path / "file")) == ["a", "b"]
    with pytest.raises(FileExistsError):
        plain_files.write_new(tmp_path / "file", "c")


def test_a_file_is_measured_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match=r"1,099,511,627,776 bytes"):
        plain_files.read_bytes(tmp_path / "file")


def test_json_that_is_nested_too_deep_is_no_json() -> None:
    with pytest.raises(ValueError, match="nested"):
        plain_files.json_value("[" * 100_000)


def test_a_link_is_removed_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    (tmp_path / "link").symlink_to("mine")
    plain_files.remove(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "mine" / "thesis.tex").exists()


@pytest.mark.parametrize("make", [link, hanging_link, os.mkfifo, device, bound_socket])
@pytest.mark.parametrize("place", ["samples", "checkpoints/step-1/energy"])
def test_a_directory_with_anything_else_is_refused(make: Callable[[Path], None], place: str, tmp_path: Path) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    make(tmp_path / place)
    with pytest.raises(CheckpointError, match=place):
        plain_files.check_plain(tmp_path, ("samples", "checkpoints"))


def test_a_directory_of_plain_files_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "run" / "samples").mkdir(parents=True)
    (tmp_path / "newest").symlink_to("run")
    (tmp_path / "run" / "notes").symlink_to("elsewhere")  # a name that no run reads or writes
    plain_files.check_plain(tmp_path / "newest", ("samples", "checkpoints"))


def test_a_folder_that_goes_away_while_it_is_looked_at_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As checkpoints do, which a run renames into place while another process reads it."""
    (tmp_path / "checkpoints" / ".writing-step-2").mkdir(parents=True)
    original = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name.startswith(".writing"):
            path.rmdir()
        return original(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    plain_files.check_plain(tmp_path, ["checkpoints"])
    assert not (tmp_path / "checkpoints" / ".writing-step-2").exists()
