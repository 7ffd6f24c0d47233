"""What makes generation towards a latent possible: an energy that has one, and an objective that says what it is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Encodes(Protocol):
    """An objective with an encoder: it says what the latent of clean data is."""

    def encode(self, x: Tensor) -> Tensor:
        """Returns latents [N, D] of unit norm, of clean data [N, *event] in data units, without a graph."""
        ...


@runtime_checkable
class Guided(Protocol):
    """An energy with the ability "latent": of a point that holds a latent s [B, D], it is E(x) − β⟨g(x), s⟩.

    A wrapper that forwards the latent of what it wraps forwards this as well, by `guidance_strength`.

    Attributes:
        guidance_strength: β, nats, as trained; None where nothing inside has a latent.
    """

    @property
    def guidance_strength(self) -> float | None: ...  # noqa: D102


def guidance_strength(energy: object) -> float | None:
    """Returns β of an energy, nats; None where it does not say, for it has no latent or is a plain callable."""
    return energy.guidance_strength if isinstance(energy, Guided) else None
