"""The command line is fixed: a flag comes or goes with a change of the design, not by accident."""

from __future__ import annotations

import typer

from ebmkit.cli.main import make_app

FLAGS = {
    "run": "--energy --sampler --objective --buffer --coordinate --wrapper --observer --data --recipe --set --steps "
    "--device --seed --init --out --dry-run --plugin --resume-if-present",
    "resume": "directory --steps --plugin",
    "sample": "directory --out -n --sampler --given --given-strength --images --with --op --weight --transitions "
    "--visits --plain-transitions --method --moves --denoise --seed --step --device --plugin",
    "score": "directory --data --out --fpr --score -n --seed --device --plugin",
    "report": "runs --out -n --transitions --visits --seconds --sampling --device --plugin",
    "eval": "directory --metric -n --n-data --quick --sampler --transitions --visits --plain-transitions --method "
    "--moves --seed --last-weights --step --set --out --json --device --plugin",
    "export": "directory --out --given --device --plugin",
    "list": "kind",
    "show": "name",
    "recipes": "",
    "plugins": "",
    "cite": "name --bibtex",
    "check": "asked --set --only --expect",
    "new-plugin": "name --kind --out --description --author --license",
    "update-plugin": "folder",
    "bench": "--only --against --style --threads --device --quick --keep-memory --json --list",
}


def test_flags_are_frozen() -> None:
    commands = typer.main.get_command(make_app()).commands  # type: ignore[attr-defined]
    found = {name: [p.opts[0] for p in command.params if p.name != "help"] for name, command in commands.items()}
    assert found == {name: flags.split() for name, flags in FLAGS.items()}


def test_every_flag_and_command_says_what_it_is() -> None:
    for command in typer.main.get_command(make_app()).commands.values():  # type: ignore[attr-defined]
        assert command.help
        assert all(p.help for p in command.params)
