"""The entry point: assembles the commands, runs one, and turns every failure into one message and an exit status."""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Annotated, Any

import typer

from ebmkit.cli import (
    bench,
    catalogue,
    check,
    citations,
    evaluation,
    exporting,
    new_plugin,
    reporting,
    sampling,
    scoring,
    training,
)
from ebmkit.cli.plugin_commands import add_plugin_commands
from ebmkit.cli.repeated import check_given_once
from ebmkit.display.output import columns, remark, say, speak
from ebmkit.display.processes import is_follower, let_first_speak, n_launched
from ebmkit.errors import EbmkitError
from ebmkit.plugins.host import host
from ebmkit.version import __version__

INTERRUPTED = 130  # what newer versions of typer exit with after Ctrl-C, in silence


MODULES = (
    training, sampling, evaluation, scoring, reporting, exporting, catalogue, citations, check, new_plugin, bench,
)  # fmt: skip
COMMANDS: dict[str, Callable[..., None]] = {k: v for module in MODULES for k, v in module.COMMANDS.items()}

LIBRARIES = frozenset({"ebmkit", "torch", "numpy", "typer", "click", "pluggy", "pydantic"}) | sys.stdlib_module_names
"""Where an error of a plugin may come up; the plugin itself is named."""

NARROW_HELP = 52  # columns; typer lays help out for no fewer


def entry() -> None:
    """Runs the command that the shell was given."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without η must not end a run
    status = main()
    gc.freeze()  # looking through all that torch made once more took the end of a process a second
    if "torch" in sys.modules and n_launched() > 1:
        from ebmkit.runs.launched import end_if_met

        end_if_met(status)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status.

    0 success, 1 it failed, 2 the request was wrong, 75 a run was told to stop, was saved and can go on; 0 then, too,
    under `torchrun`.
    With `EBMKIT_STRICT=1` failures are raised instead.
    """
    try:
        _invoke(list(sys.argv[1:] if arguments is None else arguments))
    except SystemExit as stop:
        return _status(stop.code)
    except KeyboardInterrupt:
        return _status(INTERRUPTED)
    except Exception as error:  # the last door: a failure of whatever kind is one message
        if os.environ.get("EBMKIT_STRICT") == "1":
            raise
        try:
            return for_launcher(_explain(error))
        except OSError:  # nobody hears it: the terminal is gone
            return error.exit_status if isinstance(error, EbmkitError) else 1
    return 0


def for_launcher(status: int) -> int:
    """Returns the exit status as the program that started this process is to see it."""
    return 0 if status == STOPPED and "TORCHELASTIC_RUN_ID" in os.environ else status


STOPPED = 75
"""`ebmkit.runs.interrupt.TRY_AGAIN`, which is not imported for every command."""
TOGETHER = frozenset(training.COMMANDS)
"""What several processes do together. Of all else that ebmkit is asked under `torchrun`, the first one does it."""


def _say_versions(asked: bool) -> None:
    """Prints the versions of ebmkit and of torch, which is not imported for it."""
    if not asked:
        return
    say(f"ebmkit-core {__version__}")
    with suppress(PackageNotFoundError):
        say(f"torch {installed('torch')}")
    raise typer.Exit


def make_app() -> typer.Typer:
    """Returns the commands of core."""
    app = typer.Typer(
        name="ebmkit",
        help="Energy-based models from interchangeable parts: train, sample, and see what there is to combine.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": _help_width()},
    )
    app.callback()(_options)
    for name, command in COMMANDS.items():
        first = (command.__doc__ or "").split("\n")[0].split(". ")[0].rstrip(".") + "."  # help would cut it to fit
        app.command(name, short_help=first)(command)
    return app


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which versions are installed.", is_eager=True, callback=_say_versions)
    ] = False,
) -> None:
    """What can be asked before a command."""


def _invoke(arguments: list[str]) -> None:
    app, found = make_app(), host()
    if is_follower() and arguments[:1] and arguments[0] in COMMANDS.keys() - TOGETHER:
        return
    add_plugin_commands(app, found)
    if arguments[:1] != ["plugins"] and (missing := found.not_loaded()):  # which lists them anyway
        remark(missing.lstrip())
    commands = typer.main.get_command(app)
    check_given_once(commands, arguments)
    try:
        status = commands(args=arguments, prog_name="ebmkit", standalone_mode=False)
    except Exception as error:  # a usage error of click, or of the copy of click that newer typers carry
        if not hasattr(error, "format_message"):
            raise
        raise SystemExit(_explain_usage(error)) from error
    raise SystemExit(status)


def _help_width() -> int | None:
    """Returns how wide help is where the terminal is narrower than typer thinks possible."""
    width = columns()
    return width - 2 if width < NARROW_HELP else None


def _status(code: object) -> int:
    if code == INTERRUPTED:
        remark("Interrupted.")
        return 1
    if isinstance(code, str):
        remark(code)
        return 1
    return code if isinstance(code, int) else 0


def _explain_usage(error: Any) -> int:
    """Says what was wrong with a command line, as typer does, and wrapped."""
    context = getattr(error, "ctx", None)
    let_first_speak()
    if type(error).__name__ == "NoArgsIsHelpError":
        say(error.format_message(), verbatim=True)
    else:
        if context is not None:
            remark(f"{context.get_usage()}\nTry '{context.command_path} -h' for help.\n")
        remark(f"Error: {error.format_message().replace(': Value error, ', ': ')}")  # a word of pydantic
    return int(error.exit_code)


def _explain(error: Exception) -> int:
    if n_launched() > 1:
        told = _of_several(error)
        if told is None:
            return int(getattr(error, "exit_status", 1))
        error = told
    if isinstance(error, EbmkitError):
        remark(f"Error: {error}")
        if for_launcher(error.exit_status) != error.exit_status:
            remark("It ends with status 0: torchrun takes any other for a failure, and may start it again at once.")
        return error.exit_status
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: end in silence
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" ({error.filename})" if error.filename else ""
        remark(f"Error: the disk is full{where}. Free some space; what was finished before is untouched.")
    elif _is_out_of_memory(error):
        said = (str(error).splitlines() or [""])[0]
        remark(f"Error: memory is not enough{f': {said}' if said else ''}. Make batches, network or data smaller.")
    elif isinstance(error, OSError) and error.strerror:
        remark(f"Error: {error.filename or 'the system'}: {error.strerror}.")
    else:
        remark(f"Error: {type(error).__name__}: {error}{_place(error)}")
        remark("This was not foreseen: set EBMKIT_STRICT=1 for the traceback.")
    return 1


def _of_several(error: Exception) -> Exception | None:
    """Returns what this one of several processes is to say of an error, None where another one says it."""
    if "torch" not in sys.modules:
        let_first_speak()
        speak()
        return error
    from ebmkit.runs.launched import explained

    return explained(error)


def _is_out_of_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from ebmkit.assembly.memory import is_out_of_memory

    return is_out_of_memory(error)


def _place(error: Exception) -> str:
    """Returns the last line of a plugin on the way to an error, "" where none was on it."""
    steps = traceback.walk_tb(error.__traceback__)
    theirs = [place for place in steps if place[0].f_globals.get("__name__", "").split(".")[0] not in LIBRARIES]
    if not theirs:
        return ""
    code, line = theirs[-1][0].f_code, theirs[-1][1]
    return f" ({code.co_filename}, line {line}, in {code.co_name})"
