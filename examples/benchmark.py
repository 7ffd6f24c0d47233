"""What a Langevin move and a training step cost here: ratios, measured interleaved in one run. Best on a quiet machine.

    python examples/benchmark.py

A move: `sgld` on the frozen view, beside a bare hand-written loop of the same precision over a plain bf16 copy, and
beside the plain fp32 loop over the live network, spectral norm rebuilt in every move.
A step of recipe clel-fashion: with its guidance and without; the difference is the guidance's share.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

import ebmkit
from ebmkit.allocator import keep_freed_memory
from ebmkit.assemble import assemble
from ebmkit.optim import Optimisers
from ebmkit.recipe import Part, Recipe
from ebmkit.runs import as_recipe, resolved
from ebmkit.step import train_step

MOVES, BATCH, SHAPE = 20, 64, (1, 28, 28)
NETWORK = {"widths": (32, 64, 64, 128), "head": "half-squared-norm"}


def medians(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Returns the median seconds of each way, run in turn."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in times.items()}


def loop(energy: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Makes Langevin moves by hand."""
    for _ in range(MOVES):
        leaf = x.detach().requires_grad_()
        (drift,) = torch.autograd.grad(energy(leaf).sum(), leaf)
        x = (x - 100.0 * drift + 0.001 * torch.randn(x.shape)).clamp(0.0, 1.0)
    return x


def plain_copy(live: torch.nn.Module, context: ebmkit.BuildContext) -> torch.nn.Module:
    """Returns the network without spectral norm, with the weights that it computes, in bf16 and channels-last."""
    plain = ebmkit.build("energy", "resnet", context=context, spectral_norm=False, **NETWORK).requires_grad_(False)
    live.eval()
    weights = {name: getattr(module, "weight", None) for name, module in live.named_modules()}
    for name, module in plain.named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.weight.copy_(weights[name].detach())
    live.train()
    return plain.to(torch.bfloat16).to(memory_format=torch.channels_last)


def moves() -> None:
    """Compares a Langevin move on the view with the two loops."""
    context = ebmkit.BuildContext(event_shape=SHAPE, value_range=(0.0, 1.0), batch_size=BATCH)
    live = ebmkit.build("energy", "resnet", context=context, **NETWORK)
    plain = plain_copy(live, context)
    sampler = ebmkit.build("sampler", "sgld", context=context, step_size=100.0, noise=0.001, moves=MOVES)
    seen, x = ebmkit.view(live, "bf16"), torch.rand(BATCH, *SHAPE)
    point = ebmkit.Point(x=x)

    def bare(leaf: Tensor) -> Tensor:
        cast = leaf.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        return plain(ebmkit.Point(x=cast))

    found = medians(
        {
            "sgld": lambda: sampler.step(seen, sampler.init(point, torch.Generator())),
            "bare bf16": lambda: loop(bare, x),
            "live fp32": lambda: loop(lambda leaf: live(ebmkit.Point(x=leaf)), x),
        },
        rounds=7,
    )
    for name, seconds in found.items():
        print(f"{name:<12} {1e3 * seconds / MOVES:7.1f} ms a move, batch {BATCH}, {torch.get_num_threads()} threads")
    print(f"live fp32 / sgld = {found['live fp32'] / found['sgld']:.2f}")
    print(f"sgld / bare bf16 = {found['sgld'] / found['bare bf16']:.2f}")


def stepper(recipe: Recipe) -> Callable[[], object]:
    """Returns what makes one training step after another."""
    assembly = assemble(resolved(recipe).recipe)
    parts, owners = assembly.parts, assembly.parts.owners()
    optimisers = Optimisers(owners, {name: assembly.recipe.owner(name) for name in owners}, 1000)
    rng, count = torch.Generator().manual_seed(0), iter(range(1, 1000))

    def step() -> None:
        number = next(count)
        batch = parts.dataset.batch(torch.randint(len(parts.dataset), (BATCH,), generator=rng), rng)
        train_step(parts, batch, number, {}, lambda losses: optimisers.update(losses, number))

    return step


def guidance() -> None:
    """Compares a training step with and without the guidance."""
    full = as_recipe("clel-fashion")
    without = full.with_part("objective", Part("cd"), Part("energy-l2")).with_part("wrapper")
    without = without.with_part("energy", Part("resnet", {**full.part("energy").settings, "head": "half-squared-norm"}))
    found = medians({"with": stepper(full), "without": stepper(without)}, rounds=25)
    print(f"training step with guidance {found['with']:.3f} s, without {found['without']:.3f} s")
    print(f"share of the guidance = {1 - found['without'] / found['with']:.1%}")


if __name__ == "__main__":
    keep_freed_memory()
    moves()
    guidance()
