"""A new plugin: what is written where, with git and without, and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib

import pytest

from ebmkit import __version__
from ebmkit.errors import RecipeError
from ebmkit.plugins.component import KINDS
from ebmkit.template import kept, write
from ebmkit.template.kept import FILES, PLACE, kept_template, place
from ebmkit.template.write import NewPlugin, write_plugin

pytest.importorskip("copier")
TAMED = NewPlugin(name="tamed", kind="sampler")


def answers(folder):
    return (folder / ".copier-answers.yml").read_text(encoding="utf-8")


def test_every_kind_has_a_template_and_can_be_chosen():
    assert {folder.name for folder in (FILES / "kinds").iterdir()} == set(KINDS)
    assert f"choices: [{', '.join(KINDS)}]" in (FILES / "copier.yml").read_text(encoding="utf-8")


def test_the_core_that_is_asked_for_is_this_one():
    major, minor = (int(part) for part in __version__.split(".")[:2])
    assert f'default: ">={major}.{minor},<{major}.{minor + 1}"' in (FILES / "copier.yml").read_text(encoding="utf-8")


def test_the_answers_are_kept_and_say_nothing_of_this_machine(known_author, tmp_path):
    assert write_plugin(TAMED, tmp_path / "new") == ""
    text = answers(tmp_path / "new")
    assert f"_commit: v{__version__}" in text and f"_src_path: {PLACE}" in text and "author: Ada Lovelace" in text
    assert str(tmp_path) not in text


def test_what_is_said_arrives_whole(home, tmp_path):
    said = 'A "tamed" sampler: its\nsteps\\moves are bounded, the user\'s too {{ 1 }}'
    write_plugin(
        NewPlugin(name="tamed", kind="sampler", description=said, author='A "B" C', license="MIT"), tmp_path / "n"
    )
    project = tomllib.loads((tmp_path / "n" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["description"] == " ".join(said.split()) and project["authors"] == [{"name": 'A "B" C'}]
    recipe = (tmp_path / "n" / "src/ebmkit_tamed/recipes/tamed-example.toml").read_text(encoding="utf-8")
    assert tomllib.loads(recipe)["about"] == {"maintainer": 'A "B" C'}
    assert project["license"] == "MIT" and 'A "B" C' in (tmp_path / "n" / "LICENSE").read_text(encoding="utf-8")


def test_nothing_is_overwritten(home, tmp_path):
    (tmp_path / "mine").write_text("mine")
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(RecipeError, match="nothing is overwritten"):
            write_plugin(TAMED, folder)
    assert (tmp_path / "mine").read_text() == "mine"


def test_an_empty_folder_will_do(home, tmp_path):
    (tmp_path / "empty").mkdir()
    write_plugin(TAMED, tmp_path / "empty")
    assert (tmp_path / "empty" / "pyproject.toml").is_file()


def test_without_git_it_is_written_and_cannot_be_updated(home, tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom ebmkit.template.write import NewPlugin, write_plugin\n"
        "print(write_plugin(NewPlugin(name='tamed', kind='sampler'), Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "new")], capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": str(tmp_path / "nothing"), "HOME": str(home)},
    )  # fmt: skip
    assert done.stdout.strip() == "git is not installed"
    assert "name: tamed" in answers(tmp_path / "new") and "_src_path" not in answers(tmp_path / "new")
    with pytest.raises(RecipeError, match="does not say which template"):
        write.update_plugin(tmp_path / "new")


def test_a_home_that_cannot_be_written_is_no_reason_to_write_nothing(home, tmp_path):
    (home / ".cache").write_text("a file")
    assert str(home / ".cache") in write_plugin(TAMED, tmp_path / "new")
    assert (tmp_path / "new" / "pyproject.toml").is_file()


def test_without_copier_one_message_says_what_to_install(home, tmp_path, monkeypatch):
    monkeypatch.setattr(write.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"ebmkit-core\[testing\]"):
        write_plugin(TAMED, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_template_is_the_same_commit_wherever_it_is_kept(home):
    first = kept_template(), kept.git("rev-parse", f"v{__version__}")
    shutil.rmtree(place())
    assert (kept_template(), kept.git("rev-parse", f"v{__version__}")) == first


def test_another_template_of_the_same_version_has_a_tag_of_its_own(home, tmp_path):
    changed = tmp_path / "files"
    shutil.copytree(FILES, changed)
    (changed / "project" / "more.txt").write_text("more")
    tags = [kept_template(), kept_template(changed), kept_template(), kept_template(changed)]
    assert tags == [f"v{__version__}", f"v{__version__}+1"] * 2
