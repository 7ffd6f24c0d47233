"""A plugin made for another core is told before anything of it is imported; its metadata alone say what it asks."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

import ebmkit
from ebmkit.cli.main import main
from ebmkit.errors import PluginError, RecipeError
from ebmkit.plugins import host as plugins
from ebmkit.plugins.core_range import core_range, refuse_other_core
from ebmkit.plugins.host import Host

ROOT = Path(__file__).parents[2]
WALK = """
from pathlib import Path
Path(__file__).with_suffix(".imported").touch()
from ebmkit import Component, SamplerTraits
COMPONENTS = (Component(kind="sampler", name="walk", build="no:where", summary="", traits=SamplerTraits()),)
"""


def installed(folder: Path, *requires: str) -> EntryPoint:
    """Returns the entry point of a plugin that is installed in a folder, as pip would leave it."""
    facts = folder / "ebmkit_walk-3.1.dist-info"
    facts.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", "Name: ebmkit-walk", "Version: 3.1", *(f"Requires-Dist: {r}" for r in requires)]
    (facts / "METADATA").write_text(
        "\n".join(lines) + "\n\nRequires-Dist: ebmkit-core>=99 is no longer a header here.\n"
    )
    (facts / "entry_points.txt").write_text("[ebmkit]\nwalk = ebmkit_walk\n")
    (folder / "ebmkit_walk.py").write_text(WALK)
    (found,) = distributions(path=[str(folder)])
    (entry,) = found.entry_points
    return entry


@pytest.mark.parametrize(
    ("requires", "asked"),
    [
        (("ebmkit-core>=0.1,<0.2",), ">=0.1,<0.2"),
        (("EBMKIT_core (>=0.1,<0.2)",), ">=0.1,<0.2"),
        (("ebmkit.core>=0.1", "ebmkit-core<0.2"), ">=0.1,<0.2"),
        (("ebmkit-core",), ""),
        (("ebmkit-core-tools>=7", "ebmkit>=7", "torch>=2.8"), ""),
        ((), ""),
        (("ebmkit-core[testing]>=9; extra == 'test'", "ebmkit-core>=0.1"), ">=0.1"),
        (("ebmkit-core>=9; python_version < '3.0'",), ""),
        (("ebmkit-core @ file:///somewhere/ebmkit",), ""),
        (("ebmkit-core>=banana",), ">=banana"),
    ],
)
def test_the_range_is_the_one_that_pip_reads(tmp_path: Path, requires: tuple[str, ...], asked: str) -> None:
    assert core_range(installed(tmp_path, *requires)) == asked


def test_damaged_or_absent_metadata_ask_for_nothing(tmp_path: Path) -> None:
    entry = installed(tmp_path, "ebmkit-core>=9")
    (tmp_path / "ebmkit_walk-3.1.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00")
    assert core_range(entry) == ""
    assert core_range(EntryPoint("walk", "ebmkit_walk", "ebmkit")) == ""


@pytest.mark.parametrize(
    ("asked", "fitting", "others"),
    [
        ("", ["0.1.0", "7", "0.2.0rc1"], []),
        (">=0.1,<0.2", ["0.1.0", "0.1.9", "0.1.1.dev3", "0.1.2rc1", "0.1.0+local"], ["0.0.9", "0.2.0", "1.0"]),
        (">=0.1,<0.2", [], ["0.1.0rc1", "0.2.0rc1", "0.2.0.dev1"]),
        (">=0.2.0rc1,<0.3", ["0.2.0rc1", "0.2.0", "0.2.1.dev0"], ["0.1.9", "0.2.0.dev1", "0.3.0rc1"]),
        (">=2,<1", [], ["0.1.0", "1.5", "3"]),
    ],
)
def test_versions_compare_as_pip_compares_them(asked: str, fitting: list[str], others: list[str]) -> None:
    for version in fitting:
        refuse_other_core(asked, "ebmkit-walk 3.1", version)
    for version in others:
        with pytest.raises(PluginError, match=re.escape(f"requires ebmkit-core {asked}, and this is {version};")):
            refuse_other_core(asked, "ebmkit-walk 3.1", version)


@pytest.mark.parametrize("asked", [">=banana", "0.1", "=>0.1", ">=0.1 <0.2"])
def test_a_range_that_nobody_can_read_is_told(asked: str) -> None:
    with pytest.raises(PluginError, match="is no range of versions"):
        refuse_other_core(asked, "ebmkit-walk 3.1")


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin for a core of the future is installed; returns the file that importing it would write."""
    entry = installed(tmp_path, "ebmkit-core>=99,<100")
    for name in ("EBMKIT_STRICT", "EBMKIT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry])
    monkeypatch.setattr(plugins, "_host", None)
    return tmp_path / "ebmkit_walk.imported"


REASON = (
    f"it requires ebmkit-core >=99,<100, and this is {ebmkit.__version__}; "
    "install versions that fit: pip install --upgrade ebmkit-core ebmkit-walk"
)


def test_a_plugin_for_another_core_is_not_imported_and_its_parts_quote_the_reason(other: Path) -> None:
    host = Host()
    host.discover()
    assert [(p.name, p.core, p.error) for p in host.broken()] == [("walk", ">=99,<100", REASON)]
    assert not other.exists()
    with pytest.raises(RecipeError, match=re.escape(f"Plugin 'walk' (ebmkit-walk 3.1) is not loaded: {REASON}")):
        host.get("sampler", "walk")


def test_the_command_line_tells_it_in_one_line_and_goes_on(other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "sampler"]) == 0
    said = capsys.readouterr()
    assert "sgld" in said.out
    assert "walk" not in said.out
    assert said.err.splitlines() == [f"Plugin 'walk' (ebmkit-walk 3.1) is not loaded: {REASON}"]
    assert not other.exists()


def test_the_list_of_plugins_shows_what_each_requires(other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 1
    core, walk, why = capsys.readouterr().out.splitlines()[1:]
    assert core.split()[:3] == ["core", "ebmkit-core", ebmkit.__version__]
    assert walk.split() == ["walk", "ebmkit-walk", "3.1", ">=99,<100", "0", "0", "broken"]
    assert why == f"walk (ebmkit-walk 3.1): {REASON}"


@pytest.mark.parametrize("project", sorted(ROOT.glob("plugins/*/pyproject.toml")), ids=lambda path: path.parent.name)
def test_the_bundled_plugins_say_which_core_they_need(project: Path, tmp_path: Path) -> None:
    asked = core_range(installed(tmp_path, *tomllib.loads(project.read_text())["project"]["dependencies"]))
    assert re.fullmatch(r">=[\w.]+,<[\w.]+", asked)
    refuse_other_core(asked, project.parent.name)
