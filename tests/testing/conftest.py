"""What a test offers to the host is forgotten after it."""

from __future__ import annotations

import pytest


@pytest.fixture
def fresh_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins are discovered anew."""
    monkeypatch.setattr("ebmkit.plugins.host._host", None)
