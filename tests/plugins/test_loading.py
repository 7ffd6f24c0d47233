"""A part that cannot be imported is one readable error, whatever its import raises."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebmkit.errors import PluginError
from ebmkit.plugins.component import Component
from ebmkit.plugins.loading import load_build


def component(directory: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> Component:
    (directory / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(directory)
    return Component(kind="energy", name="theirs", build=f"{name}:build", summary="")


@pytest.mark.parametrize(
    "raised", ["RuntimeError()", "SystemExit(0)", "GeneratorExit()", "type('Panic', (BaseException,), {})()"]
)
def test_no_import_of_a_part_ends_the_process(raised: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = component(tmp_path, "part_that_raises", f"raise {raised}", monkeypatch)
    with pytest.raises(PluginError, match="energy 'theirs' cannot be built: part_that_raises:build"):
        load_build(asked)


def test_ctrl_c_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_build(component(tmp_path, "part_interrupted", "raise KeyboardInterrupt", monkeypatch))
