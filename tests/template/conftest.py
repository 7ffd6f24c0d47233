"""A home of its own, so that no test writes into that of the person who runs it."""

from __future__ import annotations

import subprocess

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Returns an empty home, in which git knows nobody."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return folder


@pytest.fixture
def known_author(home):
    """Returns the home of somebody whom git knows."""
    (home / ".gitconfig").write_text("[user]\nname = Ada Lovelace\nemail = ada@example.com\n", encoding="utf-8")
    return home


@pytest.fixture
def git():
    """Returns a function that runs git in a folder, and what it says."""

    def said(folder, *words):
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout

    return said
