"""Where files are looked for, and what is said when they are not there."""

from pathlib import Path

import pytest

from ebmkit.data.places import find_files, search_places
from ebmkit.errors import DataError

LAYOUTS = [("a", "b"), ("c",)]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EBMKIT_DATA", raising=False)


def put(*paths):
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def find(root="", suffixes=("",)):
    return tuple(str(p) for p in find_files("digits", root, LAYOUTS, advice="Ask somebody.", suffixes=suffixes))


def test_a_named_root_is_the_only_place():
    assert search_places("digits", "there") == (Path("there"),)


def test_the_shared_folder_goes_before_the_local_one(monkeypatch):
    put("data/digits/c", "shared/c")
    assert find() == ("data/digits/c",)
    monkeypatch.setenv("EBMKIT_DATA", "shared")
    assert find() == ("shared/c",)
    put("shared/digits/c")
    assert find() == ("shared/digits/c",)


def test_an_incomplete_layout_gives_way_to_a_complete_one():
    put("data/digits/a", "data/digits/c")
    assert find() == ("data/digits/c",)
    put("data/digits/b")
    assert find() == ("data/digits/a", "data/digits/b")


def test_each_file_may_have_its_own_suffix():
    put("data/digits/a", "data/digits/b.gz")
    assert find(suffixes=("", ".gz")) == ("data/digits/a", "data/digits/b.gz")


def test_the_error_says_what_was_wanted_what_is_there_and_what_to_do(monkeypatch):
    put("shared/digits/a", "file")
    monkeypatch.setenv("EBMKIT_DATA", "shared")
    with pytest.raises(DataError) as caught:
        find(suffixes=("", ".gz"))
    message = str(caught.value)
    for part in (
        "needs a[.gz] + b[.gz], or c[.gz]",
        "shared/digits (has a)",
        "shared (has none of them)",
        "data/digits (no such folder)",
        "Ask somebody.",
        "--data digits:FOLDER",
    ):
        assert part in message
    with pytest.raises(DataError, match="not a folder"):
        find(root="file")
