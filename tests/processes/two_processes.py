"""Runs a function in two processes that know each other, and returns what both returned."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ebmkit.processes import World

ROOT = Path(__file__).parent.parent.parent
TIMEOUT = 240


def together(function: Callable[[World], Any], size: int = 2) -> list[Any]:
    """Returns what `function(world)` returned in each of `size` processes; it must be found by module and name."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.processes.two_processes"]
        named = [sys.modules[function.__module__].__file__ or "", function.__name__]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        running = [
            subprocess.Popen([*command, *named, folder, str(rank), str(size)], cwd=ROOT, env=environment)
            for rank in range(size)
        ]
        codes = [process.wait(TIMEOUT) for process in running]
        assert codes == [0] * size, f"exit statuses {codes}"
        return [pickle.loads((Path(folder) / f"{rank}.result").read_bytes()) for rank in range(size)]


def main(path: str, name: str, folder: str, rank: str, size: str) -> None:
    """Is one of the processes."""
    from importlib.util import module_from_spec, spec_from_file_location

    torch.set_num_threads(1)
    spec = spec_from_file_location("together", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["together"] = module
    spec.loader.exec_module(module)
    world = World(rank=int(rank), size=int(size))
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=world.rank, world_size=world.size)
    result = getattr(module, name)(world)
    dist.destroy_process_group()
    (Path(folder) / f"{rank}.result").write_bytes(pickle.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
