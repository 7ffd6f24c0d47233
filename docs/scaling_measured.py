"""What processes that train one model send each other in a step, and how much faster two of them are than one.

    python docs/scaling_measured.py bytes                  # counted in two processes, and computed
    python docs/scaling_measured.py speed --pairs 5        # one and two processes in turn; on a quiet machine
    python docs/scaling_measured.py arithmetic             # 8 and 64 GPUs, by assumptions that are printed

All exchange by gloo on CPUs, each with one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

say = print
RECIPE = "clel-fashion"
STEPS = 4
WARM = 2
"""Steps that are made before any is counted or timed."""
LINKS = {8: ("one machine, NVLink", 200e9), 64: ("eight machines, a 400 Gb/s adapter a GPU", 25e9)}
"""Number of GPUs → what joins them, and bytes a second that a GPU is assumed to send over it, in one direction."""
FLOP_A_SECOND = 200e12
"""What a GPU is assumed to compute, in bf16: a fifth of the peak of an H100."""
CLEL_BASE = {"parameters": 6.96e6, "step_flop": 59.6e9 / 16 * 64 * 62}
"""CLEL Base: FLOP of a gradient of an image (docs/performance.md), 64 images, 60 moves and two phases of a loss."""


def sent(bytes_handed: float, size: int) -> float:
    """Returns the bytes that a process sends where all sum a tensor in a ring: a part to the next, twice around."""
    return 2 * (size - 1) / size * bytes_handed


def step_of(recipe: str, per_process: int, steps: int) -> dict[str, Any]:
    """Returns, as one of the processes, seconds and bytes of a step."""
    import torch

    torch.set_num_threads(1)
    from ebmkit import processes
    from ebmkit.assembly.assemble import assemble
    from ebmkit.assembly.complete import complete
    from ebmkit.runs.checkpoints.state import TrainingState
    from ebmkit.runs.launched import launched
    from ebmkit.training.batches import Batches
    from ebmkit.training.step import train_step

    with launched() as world:
        made = complete(recipe)
        run = {"batch_size": per_process * world.size, "device": "cpu", "engine": "eager", "checked_steps": 0}
        assembly = assemble(made.recipe.with_table("run", **run), dataset=made.dataset, world=world)
        parts, state = assembly.parts, TrainingState(assembly.parts, assembly.recipe)
        assert assembly.dataset is not None
        size = per_process * world.size
        batches = Batches(assembly.dataset, batch_size=size, seed=0, device=parts.device, world=world)
        begun, before = 0.0, dict(processes.handed)
        for step in range(1, WARM + steps + 1):
            if step == WARM + 1:
                world.wait()
                begun, before = time.perf_counter(), dict(processes.handed)
            update = lambda losses, at=step: state.optimisers.update(losses, at)  # noqa: E731
            report = train_step(parts, batches.batch(step), step, state.tuning, update)
            state.tuning = report.tuning
            state.averages.update(step)
        world.wait()
        handed = {name: (n - before.get(name, 0)) / steps for name, n in processes.handed.items()}
        trained = {id(p): p for p in parts.parameters() if p.requires_grad}
        gradients = sum(p.numel() * p.element_size() for p in trained.values())
        seconds = (time.perf_counter() - begun) / steps
    return {"rank": world.rank, "images": size, "seconds": seconds, "handed": handed, "gradients": gradients}


def asked(size: int, recipe: str, per_process: int, steps: int) -> dict[str, Any]:
    """Returns what the first of so many processes found."""
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)] if size > 1 else []
    worker = [__file__, "worker", "--recipe", recipe, "--per-process", str(per_process), "--steps", str(steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *several, *worker], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    return found


def print_bytes(recipe: str, per_process: int, steps: int) -> None:
    """Prints what passes through `World` in a step of two processes, counted, and of the gradients computed."""
    found = asked(2, recipe, per_process, steps)
    say(f"{recipe}, two processes, {per_process} images each: bytes that a process hands over in a step\n")
    for name, n in sorted(found["handed"].items(), key=lambda pair: -pair[1]):
        if n:
            say(f"  {name:<20} {n:>14,.0f}")
    say(f"\ncomputed: gradients {found['gradients']:,} (all parameters that are trained), and 4 for each parameter")
    say(f"sent in a ring, of gradients: {sent(found['gradients'], 2):,.0f} by each of 2, "
          f"{sent(found['gradients'], 8):,.0f} by each of 8")  # fmt: skip


def print_speed(recipe: str, per_process: int, steps: int, pairs: int) -> None:
    """Prints images a second of one and of two processes, in turn, at equal work for each process."""
    say(f"{recipe}, {per_process} images a process, {steps} steps after {WARM}; images a second\n")
    say("| pair | 1 process | 2 processes | times as fast |\n|---|---|---|---|")
    ratios, rates = list[float](), list[tuple[float, float]]()
    for pair in range(pairs):
        order = (1, 2) if pair % 2 == 0 else (2, 1)
        found = {size: asked(size, recipe, per_process, steps) for size in order}
        one, two = (found[size]["images"] / found[size]["seconds"] for size in (1, 2))
        ratios.append(two / one)
        rates.append((one, two))
        say(f"| {pair + 1} | {one:.1f} | {two:.1f} | {two / one:.2f} |", flush=True)
    one, two = (median(each) for each in zip(*rates, strict=True))
    say(f"| median | {one:.1f} | {two:.1f} | {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    say(f"\ncores that these processes may use: {cores}")


def print_arithmetic() -> None:
    """Prints how long gradients are under way beside a step, for more GPUs than were ever at hand."""
    handed, compute = 4 * CLEL_BASE["parameters"], CLEL_BASE["step_flop"] / FLOP_A_SECOND
    say(f"CLEL Base, 64 images x 60 moves a GPU: {CLEL_BASE['step_flop'] / 1e12:.1f} TFLOP a step,")
    say(f"{1e3 * compute:.0f} ms at {FLOP_A_SECOND / 1e12:.0f} TFLOP/s; {handed / 1e6:.1f} MB of gradients in fp32\n")
    say("| GPUs | joined by | bytes a second | each sends | takes | of a step that waits for it |")
    say("|---|---|---|---|---|---|")
    for size, (how, rate) in LINKS.items():
        takes = sent(handed, size) / rate
        say(f"| {size} | {how} | {rate / 1e9:.0f} GB | {sent(handed, size) / 1e6:.1f} MB | {1e3 * takes:.2f} ms | "
              f"{takes / (takes + compute):.1%} |")  # fmt: skip


def main() -> None:
    """Does what the first word says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("bytes", "speed", "arithmetic", "worker"))
    parser.add_argument("--recipe", default=RECIPE)
    parser.add_argument("--per-process", type=int, default=16)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    if given.what == "worker":
        found = step_of(given.recipe, given.per_process, given.steps)
        if found["rank"] == 0:  # one alone: lines of two may come out as one
            say(json.dumps(found), flush=True)
    elif given.what == "bytes":
        print_bytes(given.recipe, given.per_process, given.steps)
    elif given.what == "speed":
        print_speed(given.recipe, given.per_process, given.steps, given.pairs)
    else:
        print_arithmetic()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
