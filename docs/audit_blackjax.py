"""MALA, HMC and NUTS of blackjax as samplers of ebmkit, for `docs/audit.py`: its kernels, our energies.

Needs blackjax, which ebmkit does not: pip install blackjax
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Generator

from ebmkit import BuildContext, CapabilityError, Component, EnergyView, Point, SamplerInfo, SamplerState, SamplerTraits

jax.config.update("jax_cpu_enable_async_dispatch", False)  # torch answers on the same threads

ASKED: dict[str, Callable[[Point], tuple[Any, Any]]] = {}
"""The energy and gradient of the transition that is made now: the compiled kernels call back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelConfig:
    """A kernel of blackjax.

    Attributes:
        step_size: s of MALA, whose h is s²/2; the leapfrog step of the others.
    """

    step_size: float = 0.5


def _answer(x: Any, level: Any) -> tuple[Any, Any]:
    """Returns log p [*batch] and its gradient [*batch, d] from the view that is asked now."""
    x, level = np.asarray(x), np.asarray(level)
    batch = x.shape[:-1]
    flat = torch.from_numpy(x.reshape(-1, x.shape[-1]).copy())
    levels = torch.from_numpy(np.broadcast_to(level, batch).reshape(-1).copy()).long()
    energy, gradient = ASKED["now"](Point(x=flat, aux={"level": levels}))
    return np.float32(-energy).reshape(batch), np.float32(-gradient).reshape(x.shape)


def _asked(x: Any, level: Any) -> tuple[Any, Any]:
    shapes = (jax.ShapeDtypeStruct((), jnp.float32), jax.ShapeDtypeStruct(x.shape, jnp.float32))
    return jax.pure_callback(_answer, shapes, x, level, vmap_method="broadcast_all")


@jax.custom_vjp
def log_density(x: Any, level: Any) -> Any:
    """Returns log p(x, level) of one chain, up to a constant."""
    return _asked(x, level)[0]


log_density.defvjp(lambda x, level: _asked(x, level), lambda gradient, g: (g * gradient, jnp.zeros(())))


def _mala(log_p: Any, step: Any, d: int) -> Any:
    return blackjax.mala(log_p, step**2 / 2)


def _hmc(log_p: Any, step: Any, d: int) -> Any:
    return blackjax.hmc(log_p, step, jnp.ones(d), num_integration_steps=4)


def _nuts(log_p: Any, step: Any, d: int) -> Any:
    return blackjax.nuts(log_p, step, jnp.ones(d), max_num_doublings=3)


KERNELS = {"mala": _mala, "hmc": _hmc, "nuts": _nuts}


@cache
def _compiled(kernel: str, d: int) -> Any:
    """Returns (keys, x [B, d], level [B], step) → x and acceptance of one move of every chain."""

    def move(key: Any, x: Any, level: Any, step: Any) -> tuple[Any, Any]:
        made = KERNELS[kernel](lambda position: log_density(position, level), step, d)
        state, info = made.step(jax.random.wrap_key_data(key), made.init(x))
        return state.position, jnp.clip(info.acceptance_rate, 0, 1)

    return jax.jit(jax.vmap(move, in_axes=(0, 0, 0, None)))


class Blackjax:
    """One move of a kernel of blackjax, a key for each chain from the stream of the state."""

    traits = SamplerTraits(adjusted=True)

    def __init__(self, config: KernelConfig, context: BuildContext, kernel: str) -> None:
        self.step_size, self.kernel = config.step_size, kernel
        self.temperature, self.bounds = context.temperature, context.value_range

    def init(self, point: Point, rng: Generator, tuning: Any = None) -> SamplerState:
        """Returns the state that starts at a point."""
        return SamplerState(point=point, rng=rng)

    def step(self, view: EnergyView, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after one move."""
        if tail is not None:
            raise CapabilityError("A tail was asked of a sampler that keeps none.")
        point, n = state.point, len(state.point)
        ASKED["now"] = partial(self._at, view, point)
        keys = torch.randint(2**31, (n, 2), generator=state.rng).numpy().astype(np.uint32)
        x = point.x.flatten(1).float().numpy()
        level = point.aux.get("level", torch.zeros(n)).float().numpy()
        moved, rate = _compiled(self.kernel, x.shape[1])(keys, x, level, np.float32(self.step_size))
        ends, rates = (torch.from_numpy(np.array(value)) for value in (moved, rate))
        info = SamplerInfo(start=point, accept_rate=rates, n_moves=1, n_gradients=1, n_proposals=1)
        return SamplerState(point=point.replace(x=ends.view(point.x.shape)), rng=state.rng), info

    def _at(self, view: EnergyView, like: Point, flat: Point) -> tuple[Any, Any]:
        """Returns E/T and its gradient; beyond the walls the energy is infinite."""
        point = flat.replace(x=flat.x.view(-1, *like.x.shape[1:]))
        energy, gradient = (value.detach() / self.temperature for value in view.energy_and_gradient(point))
        if self.bounds is not None:
            beyond = ((point.x < self.bounds[0]) | (point.x > self.bounds[1])).flatten(1).any(dim=1)
            energy = torch.where(beyond, torch.inf, energy)
        return energy.numpy(), torch.nan_to_num(gradient.flatten(1)).numpy()


build_mala, build_hmc, build_nuts = (partial(Blackjax, kernel=kernel) for kernel in KERNELS)

CONTROLS = tuple(
    Component(
        kind="sampler", name=f"blackjax-{kernel}", config=KernelConfig, build=f"audit_blackjax:build_{kernel}",
        summary=f"{kernel} of blackjax", traits=Blackjax.traits,
    )
    for kernel in KERNELS
)  # fmt: skip
"""To be passed without a false alarm."""
