"""`ebmkit new-plugin` and `update-plugin`: what they say, and with which exit status."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ebmkit.cli.main import main

pytest.importorskip("copier")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A home and a working folder of its own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_it_says_where_it_is_and_what_comes_next(elsewhere, capsys):
    assert main(["new-plugin", "ebmkit-tamed", "--kind", "sampler"]) == 0
    assert (elsewhere / "ebmkit-tamed" / "src" / "ebmkit_tamed" / "tamed.py").is_file()
    assert capsys.readouterr().out.splitlines() == [
        "Written: ebmkit-tamed, a package with the sampler 'tamed'. README.md says how to make it yours. Next:",
        "  pip install -e './ebmkit-tamed[test]'",
        "  ebmkit check ebmkit-tamed",
        "  ebmkit run --recipe tamed-example",
    ]
    assert main(["update-plugin", "ebmkit-tamed"]) == 0
    assert capsys.readouterr().out.startswith("Nothing to do")


def test_it_asks_nothing(elsewhere):
    program = [sys.executable, "-m", "ebmkit", "new-plugin", "tamed", "--kind", "sampler", "--out", "here"]
    done = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert (elsewhere / "here" / "README.md").is_file() and done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("tamed", "--kind"),
        ("tamed --kind samplr", "Did you mean 'sampler'?"),
        ("tamed --kind sampler --license GPL", "There is no licence 'GPL'"),
        ("mala --kind sampler", "there is the sampler 'mala'"),
        ("taken --kind sampler", "nothing is overwritten"),
    ],
)
def test_a_wrong_request_is_one_message_and_writes_nothing(arguments, said, elsewhere, capsys):
    (elsewhere / "ebmkit-taken").mkdir()
    (elsewhere / "ebmkit-taken" / "mine").write_text("mine")
    assert main(["new-plugin", *arguments.split()]) == 2
    assert said in capsys.readouterr().err
    assert [folder.name for folder in elsewhere.iterdir()] == ["ebmkit-taken"]


def test_files_that_both_changed_are_named_and_fail(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr("ebmkit.template.write.update_plugin", lambda folder: ("Updated.", ["a.py"]))
    assert main(["update-plugin", "."]) == 1
    assert "Both changed a.py" in capsys.readouterr().out


def test_a_template_that_cannot_be_kept_is_told(elsewhere, capsys, monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null")
    assert main(["new-plugin", "tamed", "--kind", "sampler"]) == 0
    found = capsys.readouterr()
    assert "ebmkit check ebmkit-tamed" in found.out and "will not be able to update it" in found.err
