"""What surrounds the training of a run in this process: one process, one writer, requests to stop, no silent end."""

from __future__ import annotations

import logging
import shlex
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ebmkit.errors import RunError
from ebmkit.plain_files import check_plain
from ebmkit.runs.files.directory import OWN
from ebmkit.runs.files.lock import Lock, locked
from ebmkit.runs.interrupt import stoppable
from ebmkit.runs.launched import launched

_log = logging.getLogger(__name__)


@contextmanager
def session(directory: Path | None, note: Callable[[str], None] | None = None) -> Iterator[Lock | None]:
    """Within it, a run may be assembled and trained; of several processes the first one holds the lock.

    Args:
        directory: of the run, which is locked; None for a run that writes nothing.
        note: is told if the lock of a dead process is taken over; unset, it is logged.

    Raises:
        RunError: another process writes to the directory; or a part ended the program.
        Interrupted: a signal came before the first step.
    """
    with launched() as world, stoppable() as stop, going_on(lambda: stop.resumes):
        if directory is None:
            yield None
            return
        check_plain(directory, OWN)
        stop.resumes = "Nothing is lost: start it again, or where it holds a recipe.toml, go on with: "
        stop.resumes += f"ebmkit resume {shlex.quote(str(directory))}"
        if not world.is_first:
            world.wait()  # until the first one has the lock
            yield None
            return
        with locked(directory, note or _log.warning) as lock:
            world.wait()
            yield lock


@contextmanager
def going_on(what_next: Callable[[], str]) -> Iterator[None]:
    """Turns a SystemExit of a part, which would end the program as if all were well, into a RunError.

    Args:
        what_next: returns what was made so far and how to go on.
    """
    try:
        yield
    except SystemExit as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = frames[-1]
        raise RunError(
            f"A part ended the program, SystemExit({error.code!r}) in {place.filename}, line {place.lineno}: a part "
            f"raises an error instead. {what_next()}"
        ) from error
