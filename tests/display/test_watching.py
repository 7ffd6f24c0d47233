"""Which way of showing is chosen: a notebook, a terminal, a pipe, or nothing."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from ebmkit.display.doing import doing
from ebmkit.display.notebook import in_notebook
from ebmkit.display.progress import Progress
from ebmkit.display.watching import counting, watching

STEPS = [Progress(step=i, steps=40, values={"gap": 0.5}, seconds=float(i), images=i) for i in range(1, 41)]


class ZMQInteractiveShell:
    """As a notebook's kernel calls its own."""


class ColabShell(ZMQInteractiveShell):
    """As Colab derives from it."""


class TerminalInteractiveShell:
    """IPython in a terminal."""


@pytest.fixture(params=[ZMQInteractiveShell, ColabShell])
def notebook(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=request.param))


def show(**options: bool) -> None:
    with watching("Run: x", **options) as watch:
        for progress in STEPS:
            watch(progress)


def test_a_pipe_gets_every_logged_step_on_stdout(capsys) -> None:
    show()
    seen = capsys.readouterr()
    assert len(seen.out.splitlines()) == 1 + len(STEPS) and seen.err == ""


def test_a_pipe_of_a_script_gets_few_lines_on_stderr(capsys) -> None:
    show(few=True)
    seen = capsys.readouterr()
    assert seen.out == "" and len(seen.err.splitlines()) == 12


def test_nothing_is_shown_where_nothing_is_asked_for(capsys) -> None:
    show(shown=False)
    with counting(shown=False) as tell:
        tell(1, 2, "transitions")
    assert capsys.readouterr() == ("", "")


def test_sampling_is_silent_in_a_pipe(capsys) -> None:
    with counting() as tell:
        tell(2, 2, "transitions")
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("notebook")
def test_a_notebook_gets_one_line(capsys) -> None:
    assert in_notebook()
    show(few=True)
    seen = capsys.readouterr()
    assert seen.err == "" and "Run: x" in seen.out and seen.out.count("\n") == 2 and "in 0:40" in seen.out


@pytest.mark.usefixtures("notebook")
def test_a_notebook_counts_transitions_in_one_line(capsys) -> None:
    with counting() as tell:
        for i in range(1, 201):
            tell(i, 200, "transitions")
    shown = capsys.readouterr().out
    assert "200/200 transitions" in shown and shown.count("\n") == 1 and shown.count("\r") < 10


@pytest.mark.usefixtures("notebook")
def test_what_was_only_said_on_the_way_is_gone_after_a_failure(capsys) -> None:
    with pytest.raises(ValueError, match="no data"), watching("Run: x"):
        doing("reading the data toy")
        raise ValueError("no data")
    shown = capsys.readouterr().out
    assert "reading the data toy …" in shown
    assert shown.endswith("\r") and "\n" not in shown and not shown.rsplit("\r", 2)[-2].strip()


@pytest.mark.usefixtures("notebook")
def test_what_is_done_after_the_last_step_leaves_the_last_step(capsys) -> None:
    with watching("") as watch:
        watch(STEPS[-1])
        doing("drawing pictures")
    texts = capsys.readouterr().out.split("\r")
    assert "drawing pictures …" in texts[-2] and texts[-1].startswith("step 40/40") and texts[-1].endswith("\n")


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=TerminalInteractiveShell))
    assert not in_notebook()


def test_the_display_imports_neither_torch_nor_ipython_nor_rich() -> None:
    program = (
        "import sys, ebmkit.display.watching as w\nwith w.watching('x') as watch: pass\n"
        "print([name for name in ('torch', 'IPython', 'rich', 'typer') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
