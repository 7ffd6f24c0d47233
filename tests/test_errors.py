"""Messages: a word that was renamed is told by its new name, another by the nearest one."""

from __future__ import annotations

import pytest

import ebmkit
from ebmkit.errors import did_you_mean


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("samples", ["sample", "pictures"], " It is called 'pictures' now."),
        ("clamp", ["clip", "bounds"], " It is called 'bounds' now."),
        ("clamp", ["clip"], " Did you mean 'clip'?"),
        ("step_sise", ["step_size", "moves"], " Did you mean 'step_size'?"),
        ("zebra", ["moves"], ""),
        ("learning_rate", ["lr", "betas"], " Did you mean 'lr'?"),
        ("optimizer", ["use", "lr"], " Did you mean 'use'?"),
        ("sigma", ["step_size", "noise"], " Did you mean 'noise'?"),
        ("sigma", ["step_size"], ""),
    ],
)
def test_what_is_meant(word: str, known: list[str], said: str) -> None:
    assert did_you_mean(word, known) == said


def test_a_public_name_that_was_renamed() -> None:
    with pytest.raises(AttributeError, match="'Requires' now"):
        ebmkit.Needs  # noqa: B018
