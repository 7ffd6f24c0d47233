"""The read-only record of one training step that objectives score."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.point import Batch, Point, concatenate
from ebmkit.protocols import Energy, evaluate

Named = dict[tuple[str, str], Tensor]


def stream(seed: int, step: int, part: str, device: torch.device | str = "cpu") -> Generator:
    """Returns the random stream of (seed, step, part): independent streams, and no state to save."""
    digest = hashlib.blake2b(f"{seed}/{step}/{part}".encode(), digest_size=8).digest()
    rng = Generator(device=device)
    rng.manual_seed(int.from_bytes(digest, "little") >> 1)
    return rng


class Phases:
    """Positive and negative phase of one step, with lazily evaluated energies.

    The energy is asked once, on both phases together, for all that the objectives together need.
    Values are memoised for the step and carry the parameter graph.

    Attributes:
        batch: clean data.
        positive: lifted data.
        negative: ends of the chains, detached; None where no objective needs them.
        tail: rows of the negative with the graph of their last moves, or None.
        reference: other rows of the buffer, or None.
    """

    __slots__ = ("_abilities", "_energy", "_held", "_memo", "_rng", "batch", "negative", "positive", "reference",
                 "tail")  # fmt: skip

    batch: Batch
    positive: Point
    negative: Point | None
    tail: Point | None
    reference: Point | None
    _abilities: frozenset[str]
    _energy: Energy
    _held: Energy
    _memo: Named
    _rng: Callable[[str], Generator]

    def __init__(
        self,
        *,
        energy: Energy,
        batch: Batch,
        positive: Point,
        negative: Point | None = None,
        tail: Point | None = None,
        reference: Point | None = None,
        abilities: frozenset[str] = frozenset({"energy"}),
        rng: Callable[[str], Generator] = lambda part: stream(0, 0, part),
        held: Energy | None = None,
    ) -> None:
        fields = {
            "batch": batch, "positive": positive, "negative": negative, "tail": tail, "reference": reference,
            "_energy": energy, "_abilities": abilities, "_rng": rng, "_memo": {},
            "_held": energy if held is None else held,
        }  # fmt: skip
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Phases are read-only: '{name}' cannot be set. Objectives never move chains.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Phases are read-only: '{name}' cannot be deleted.")

    def evaluate(self, phase: str, ability: str = "energy") -> Tensor:
        """Returns what the energy says of a phase; "tail" is judged with the parameters held constant.

        Args:
            phase: "positive", "negative" or "tail".
            ability: "energy" [B] nats, "features" [B, F], "latent" [B, D], "levels" [B, L] nats.

        Raises:
            CapabilityError: the step has no such phase, or the energy no such ability.
        """
        key = (phase, ability)
        if key not in self._memo:
            abilities = self._abilities if ability in self._abilities else frozenset({ability})
            with torch.enable_grad():  # whoever asks first: the memo serves everybody
                self._memo.update(self._pass(phase, tuple(sorted(abilities))))
        return self._memo[key]

    def rng(self, part: str) -> Generator:
        """Returns this step's random stream for a part; the same name gives the same stream again."""
        return self._rng(part)

    def _pass(self, phase: str, abilities: tuple[str, ...]) -> Named:
        point = self._present(phase)
        if phase == "tail" or self.negative is None:
            energy = self._held if phase == "tail" else self._energy
            return _named(phase, evaluate(energy, point, *abilities))
        n = len(self.positive)
        both = evaluate(self._energy, concatenate(self.positive, self.negative), *abilities)
        first, second = {k: v[:n] for k, v in both.items()}, {k: v[n:] for k, v in both.items()}
        return _named("positive", first) | _named("negative", second)

    def _present(self, phase: str) -> Point:
        if phase not in ("positive", "negative", "tail"):
            raise CapabilityError(f"There is no phase '{phase}': a step has positive, negative and tail.")
        point: Point | None = getattr(self, phase)
        if point is None:
            raise CapabilityError(
                f"The {phase} phase was asked for, but no objective's `requires` named it: add it to Needs."
            )
        return point


def _named(phase: str, values: Mapping[str, Tensor]) -> Named:
    return {(phase, ability): value for ability, value in values.items()}
