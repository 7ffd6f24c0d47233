"""Commands of plugins: they work, and one that fails stops nobody."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import typer

from ebmkit import hookimpl
from ebmkit.plugins.host import host


def plugin(name: str, hook) -> None:
    host().add_plugin(name, f"ebmkit-{name}", lambda: SimpleNamespace(ebmkit_commands=hookimpl(hook)))


def adds(name: str):
    def hook(app: typer.Typer) -> None:
        @app.command(name)
        def command() -> None:
            """Greets."""
            typer.echo(f"hello from {name}")

    return hook


def fails_late(app: typer.Typer) -> None:
    adds("half")(app)
    raise ImportError("no such thing")


def test_a_plugin_adds_a_command(cli) -> None:
    plugin("greeter", adds("greet"))
    assert cli("greet").out == "hello from greet\n"
    assert cli("greet").out == "hello from greet\n"
    assert "greet" in cli("--help").out


def test_a_failing_hook_stops_nobody_and_leaves_nothing(cli) -> None:
    plugin("bad", fails_late)
    plugin("greeter", adds("greet"))
    answer = cli("greet")
    assert (answer.status, answer.out) == (0, "hello from greet\n")
    assert len(answer.err.splitlines()) == 1
    assert "no such thing" in answer.err
    assert cli("half").status == 2
    plugins = cli("plugins")
    assert plugins.status == 1
    assert "commands could not be added: ImportError: no such thing" in plugins.out


def test_a_command_that_exists_is_not_replaced(cli) -> None:
    plugin("thief", adds("list"))
    answer = cli("list", "energy")
    assert "mlp" in answer.out
    assert "a command 'list', which exists already" in answer.err


def test_strict_raises(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin("bad", fails_late)
    monkeypatch.setenv("EBMKIT_STRICT", "1")
    with pytest.raises(ImportError):
        cli("list")
