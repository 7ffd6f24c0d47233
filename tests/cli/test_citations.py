"""`cite`: parts, recipes, files, ebmkit itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import ebmkit
from ebmkit import Component, hookimpl
from ebmkit.cli.citations import ITSELF
from ebmkit.plugins.citation import work
from ebmkit.plugins.host import host

ROOT = Path(__file__).parents[2]


def test_without_a_name_ebmkit_itself_is_cited(cli) -> None:
    assert cli("cite").out.splitlines()[1].strip() == ITSELF
    assert cli("cite", "--bibtex").out.startswith("@misc{ebmkit2026,")


def test_entries_of_a_recipe_are_named_once(cli) -> None:
    Path("r.toml").write_text('[energy]\nuse = "mlp"\n')
    out = cli("cite", "r.toml", "--bibtex").out
    assert out.count("@inproceedings{tieleman2008training,") == 1 == out.count("{hinton2002training,")
    assert "objective cd" not in out


def test_free_text_of_a_plugin(cli) -> None:
    part = Component(kind="energy", name="ring", build="no:where", summary="s", cite="A & co, somewhere; B")
    module = SimpleNamespace(ebmkit_components=hookimpl(lambda: [part]))
    host().add_plugin("ring", "ebmkit-ring 1.0", lambda: module)
    assert cli("cite", "ring").out == "energy ring\n  A & co, somewhere\n  B\n"
    assert r"note = {A \& co, somewhere}" in cli("cite", "ring", "--bibtex").out


@pytest.mark.parametrize("flags", [[], ["--bibtex"]])
def test_nothing_to_cite(flags: list[str], cli) -> None:
    assert "nothing to cite" in cli("cite", "mlp", *flags).out


def test_an_unknown_name_is_told(cli) -> None:
    cli("cite", "langevin").refuses("no part and no recipe 'langevin'. Did you mean 'sgld'?")


def test_citation_cff_says_the_same() -> None:
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    found = dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(" "))
    assert found["cff-version"] == "1.2.0" and found["type"] == "software" and found["message"]
    assert found["version"] == ebmkit.__version__ and found["license"] == "Apache-2.0"
    assert found["title"].strip('"') == work(ITSELF).title
    assert "  - name: The ebmkit authors" in lines[lines.index("authors:") :]
