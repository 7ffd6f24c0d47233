"""Whatever is typed ends in one message, and soon; the long form is `python tests/soak/fuzz.py 10000`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from ebmkit.plugins import host as plugins


def test_whatever_is_typed_ends_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EBMKIT_STRICT", raising=False)
    monkeypatch.setattr(plugins, "_host", None)
    monkeypatch.setattr("ebmkit.display.doing.PATIENCE", 3600.0)  # a slow machine says nothing more
    spec = importlib.util.spec_from_file_location("fuzz", Path(__file__).with_name("fuzz.py"))
    assert spec is not None
    assert spec.loader is not None
    fuzz = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fuzz", fuzz)
    spec.loader.exec_module(fuzz)
    failed = list(fuzz.fuzzed(200, 0, tmp_path))
    assert not failed, failed
