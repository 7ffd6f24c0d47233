"""Reads exported programs (`FILE.pt2`) that hold tensors and a graph, and no pickled objects."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import Counter
from pathlib import Path

import torch
from torch.export import ExportedProgram

from ebmkit.errors import CapabilityError, DataError

OBJECTS = ("custom_obj", "opaque_obj")
"""Beginnings of the records in which `torch.export.save` pickles objects of a program's own classes."""

NO_PICKLES_SINCE = (2, 9)
"""The first torch whose `torch.export.save` writes weights as bytes; torch 2.8 pickles them."""


def check_can_be_read_again(suffix: str) -> None:
    """Raises CapabilityError where this torch would write a program that `read_program` refuses."""
    if torch.__version__ < NO_PICKLES_SINCE:
        raise CapabilityError(
            f"{suffix} needs torch {'.'.join(map(str, NO_PICKLES_SINCE))} or newer, found {torch.__version__}: older "
            "ones write the weights as a pickle, which ebmkit does not load. Take .safetensors, or a newer torch."
        )


def read_program(path: Path, *extras: str) -> tuple[ExportedProgram, dict[str, str]]:
    """Returns an exported program, and the text of those of the extra files that were saved with it.

    `torch.export.load` unpickles some records without restraint; it is only called after a look through the file found
    none. That keeps a pickle from running what it likes. The graph is still a stranger's program: load those you trust.

    Raises:
        DataError: there is no such file, it is no exported program, or it holds pickled objects.
    """
    _check_records(path)
    texts = dict.fromkeys(extras, "")
    try:
        program = torch.export.load(path, extra_files=texts)
    except (RuntimeError, AssertionError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is no program that torch {torch.__version__} can read ({error}). Make it with torch.export.save."
        ) from error
    return program, {name: texts[name] for name in extras if texts[name]}


def _check_records(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
            wrong = _not_tensors(archive, names)
    except OSError as error:
        raise DataError(f"{path}: there is no such file, or it cannot be read ({error.strerror or error}).") from error
    except (zipfile.BadZipFile, ValueError, KeyError) as error:
        raise DataError(f"{path} is no exported program ({error}). Make it with torch.export.save.") from error
    if wrong:
        raise DataError(
            f"{path}: {wrong}. Such a file is not loaded: export again, tensors alone, with torch 2.9 or newer."
        )


def _not_tensors(archive: zipfile.ZipFile, names: list[str]) -> str:
    """Returns which record is no tensor, graph or text; "" where all are."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        return f"two records are called {twice[0]}"
    if not any(name.startswith("models/") for name in names):
        return "it holds no graph of this torch"
    for full, name in zip(archive.namelist(), names, strict=True):
        kind, last = name.rpartition("/")[::2]
        if kind in ("data/weights", "data/constants") and (last.endswith(".pt") or last.startswith(OBJECTS)):
            return f"{name} is a pickled object"
        if last.endswith("_config.json") and _pickles(archive.read(full)):
            return f"{name} lists pickled objects"
        if kind == "data/sample_inputs" and not _is_plain(archive.read(full)):
            return f"{name} holds more than tensors"
    return ""


def _pickles(config: bytes) -> bool:
    return any(record.get("use_pickle") for record in json.loads(config)["config"].values())


def _is_plain(content: bytes) -> bool:
    """Whether bytes of `torch.save` hold nothing but tensors and Python's own containers."""
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        return not content
    return True
