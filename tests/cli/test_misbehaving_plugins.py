"""A plugin that misbehaves at a hook costs one message that names it, and a status that says that it failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

DEEDS = {
    "raises": "raise ValueError('no ink')",
    "ends the program": "raise SystemExit(0)",
    "ends the program by exit": "import sys; sys.exit()",
    "raises what is no Exception": "raise BaseException('odd')",
    "recurses": "return {name}({arguments})",
    "gives a number": "return 7",
    "gives objects": "return [object(), None, 3]",
    "gives a type": "return int",
    "gives text": "return 'text'",
    "gives a generator that raises": "yield 1 / 0",
    "writes over itself": "globals().clear()",
}
HOOKS = {
    "ebmkit_components": "",
    "ebmkit_recipes": "",
    "ebmkit_run_start": "run",
    "ebmkit_on_step": "run, report",
    "ebmkit_run_end": "run, ending",
    "ebmkit_commands": "app",
}
OF_A_RUN = ("ebmkit_run_start", "ebmkit_on_step", "ebmkit_run_end")
"""What these return is nobody's affair."""


def plugin(path: Path, hook: str, deed: str) -> Path:
    arguments = HOOKS[hook]
    body = DEEDS[deed].format(name=hook, arguments=arguments)
    path.write_text(f"import ebmkit\n\nCOMPONENTS = ()\n\n@ebmkit.hookimpl\ndef {hook}({arguments}):\n    {body}\n")
    return path


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("deed", DEEDS)
def test_it_costs_one_message(cli, toy, tmp_path: Path, hook: str, deed: str) -> None:
    file = plugin(tmp_path / "odd.py", hook, deed)
    answer = cli("run", "--plugin", file, *toy, "--steps", 1, "--out", tmp_path / "run")
    assert "Traceback" not in answer.err
    assert "not foreseen" not in answer.err, answer.err
    is_harmless = deed.startswith("gives") or deed == "writes over itself"
    if hook in OF_A_RUN and not is_harmless:
        assert answer.status in (1, 2), answer
        assert "odd.py" in answer.err, answer.err
    assert answer.status == 0 or "odd" in answer.err, answer


BODIES = ("1 / 0", "raise SystemExit(0)", "raise BaseException('odd')", "COMPONENTS = 7", "def (",
          "COMPONENTS = [object()]", "x = '" + "(" * 5_000, "\x00", "import nowhere_at_all")  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("command", [("list",), ("run", "--dry-run")])
def test_a_file_that_cannot_be_loaded_costs_one_message(cli, tmp_path: Path, body: str, command) -> None:
    file = tmp_path / "odd.py"
    file.write_text(body)
    answer = cli(*command, "--plugin", file)
    answer.refuses("odd.py" if command[0] == "run" else "--plugin")


OBSERVER = """
from dataclasses import dataclass

import ebmkit


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    "Nothing to set."


class Odd:
    def __init__(self, config=Config(), context=None):
        pass

{methods}


odd = Odd
COMPONENTS = (ebmkit.Component(kind="observer", name="odd", config=Config, build="odd:Odd", summary="odd"),)
"""
METHODS = {
    "start": "run",
    "step": "report, run",
    "end": "run, ending",
    "alarm": "found, run",
    "picture": "path, step, run",
    "evaluation": "found, run",
}


def observer(path: Path, method: str, deed: str) -> Path:
    body = DEEDS[deed].format(name=f"self.{method}", arguments=METHODS[method])
    bodies = {name: body if name == method else "pass" for name in METHODS}
    methods = [f"    def {name}(self, {METHODS[name]}):\n        {bodies[name]}\n" for name in METHODS]
    path.write_text(OBSERVER.format(methods="\n".join(methods)))
    return path


BY_OBSERVERS = ("raises", "ends the program", "raises what is no Exception", "writes over itself")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("deed", BY_OBSERVERS)
def test_an_observer_costs_one_message(
    cli, toy, tmp_path: Path, method: str, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    finding = type("Found", (), {"step": 1, "name": "gap", "text": "The gap runs away."})
    monkeypatch.setattr("ebmkit.runs.watch.alarms.RunAlarms.look", lambda self, report: [finding])
    file = observer(tmp_path / "odd.py", method, deed)
    more = ["--observer", "odd", "--set", "eval.every=1", "--set", "eval.n=8", "--set", "eval.n_data=8"]
    answer = cli("run", "--plugin", file, *toy, "--steps", 1, "--out", tmp_path / "run", *more)
    assert "Traceback" not in answer.err and "not foreseen" not in answer.err, answer.err
    if deed == "writes over itself":
        assert answer.status == 0, answer.err
    else:
        assert answer.status in (1, 2) and f"Observer odd: its {method} failed" in answer.err, answer
