"""An update takes over what a newer template changes, and keeps what the user changed."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from ebmkit.errors import RecipeError
from ebmkit.template import write
from ebmkit.template.kept import FILES, kept_template, place
from ebmkit.template.write import NewPlugin, update_plugin, write_plugin

pytest.importorskip("copier")
PART, DECLARATIONS = "src/ebmkit_tamed/tamed.py", "src/ebmkit_tamed/declarations.py"


@pytest.fixture
def plugin(known_author, tmp_path, git):
    """Returns a plugin as it was written, committed, and then changed by its author."""
    folder = tmp_path / "ebmkit-tamed"
    write_plugin(NewPlugin(name="tamed", kind="sampler"), folder)
    git(folder, "init", "-q")
    commit(git, folder)
    replace(folder / PART, "K tamed moves", "K of my own moves")
    replace(folder / DECLARATIONS, "] = 20\n", "] = 7\n")
    (folder / "src/ebmkit_tamed/more.py").write_text("MORE = 1\n")
    commit(git, folder)
    return folder


@pytest.fixture
def newer(tmp_path, monkeypatch):
    """Returns the folder of the template of a newer ebmkit, which is the one that is installed from now on."""
    files = tmp_path / "newer"
    shutil.copytree(FILES, files)
    replace(files / "copier.yml", '">=0.1,<0.2"', '">=0.2,<0.3"')
    replace(files / "kinds/sampler/part.py.jinja", '"""Builds the sampler."""', '"""Returns the sampler."""')
    monkeypatch.setattr(write, "kept_template", lambda: kept_template(files, "0.2.0"))
    return files


def replace(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def commit(git, folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Something")


def test_both_changes_are_there_afterwards(plugin, newer):
    assert update_plugin(plugin) == ("Updated from v0.1.0 to v0.2.0.", [])
    assert 'dependencies = ["ebmkit-core>=0.2,<0.3"]' in (plugin / "pyproject.toml").read_text()
    part = (plugin / PART).read_text(encoding="utf-8")
    assert "Returns the sampler." in part and "K of my own moves" in part
    assert "] = 7\n" in (plugin / DECLARATIONS).read_text(encoding="utf-8")
    assert (plugin / "src/ebmkit_tamed/more.py").read_text() == "MORE = 1\n"
    assert "_commit: v0.2.0" in (plugin / ".copier-answers.yml").read_text()


def test_copier_itself_finds_the_newer_template(plugin, newer, git):
    kept_template(newer, "0.2.0")
    update = [sys.executable, "-m", "copier", "update", "--defaults", "--quiet"]
    subprocess.run(update, cwd=plugin, check=True, capture_output=True)
    assert "Returns the sampler." in (plugin / PART).read_text(encoding="utf-8")


def test_where_both_changed_a_line_the_author_is_asked(plugin, newer):
    replace(newer / "kinds/sampler/declarations.py.jinja", "] = 20\n", "] = 30\n")
    assert update_plugin(plugin)[1] == [DECLARATIONS]
    merged = (plugin / DECLARATIONS).read_text(encoding="utf-8")
    assert "] = 7\n" in merged and "] = 30\n" in merged and "<<<<<<<" in merged


def test_there_is_nothing_to_do_for_the_version_that_wrote_it(plugin, git):
    assert update_plugin(plugin)[0].startswith("Nothing to do")
    assert git(plugin, "status", "--porcelain") == ""


def test_changes_that_are_not_committed_stop_it(plugin, newer, git):
    replace(plugin / PART, "my own", "yet other")
    with pytest.raises(RecipeError, match="commit"):
        update_plugin(plugin)
    assert git(plugin, "diff", "--name-only").split() == [PART]


def test_a_template_that_is_not_here_is_told_by_its_version(plugin, newer):
    shutil.rmtree(place())
    with pytest.raises(RecipeError, match=r"ebmkit-core==0\.1\.0"):
        update_plugin(plugin)


def test_what_the_template_did_not_write_is_refused(tmp_path, home):
    with pytest.raises(RecipeError, match=r"there is no .*\.copier-answers\.yml"):
        update_plugin(tmp_path)
