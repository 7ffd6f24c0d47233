import sys

from ebmkit.cli.allocator import keep_freed_memory


def test_it_says_whether_the_c_library_agreed() -> None:
    agreed = keep_freed_memory()
    assert isinstance(agreed, bool)
    if not sys.platform.startswith("linux"):
        assert not agreed
