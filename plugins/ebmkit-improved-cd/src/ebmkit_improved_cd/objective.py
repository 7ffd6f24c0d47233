"""The objective of improved contrastive divergence: the sampler's ends, through its last moves."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ebmkit import BuildContext, CapabilityError, Energy, Phases, Requires
from ebmkit.ops.augmentation import PRESETS, augment
from ebmkit_improved_cd.declarations import ImprovedCdConfig, not_images
from ebmkit_improved_cd.entropy import log_nearest_distance


class ImprovedCd:
    """w_kl·mean E_sg(x_θ) − w_ent·mean log min_j ‖x_θ − c_j‖, x_θ ends of chains with the graph of their last moves.

    E_sg is the energy with its parameters held constant, so that a gradient reaches them through x_θ alone, by
    ∂²E/∂x∂θ; where a clamp holds an entry of x_θ, none does. With w_kl = 1 and w_ent = T times the dimension d of x
    they estimate, up to a constant, T·KL(q_θ ‖ sg p) as the number of references grows, q_θ the law of the ends: a
    regulariser of the sampler, in the units of `cd`, whose gradient is T times that of a log-likelihood. With 100
    references the entropy's gradient is about .9 of the true one at d = 2 and .5 at d = 784, and more references hardly
    help in many dimensions (docs/papers/improved-cd.md). The gradient of contrastive divergence itself *subtracts* that
    of KL(q_θ ‖ p); paper and reference code add it, and so does this.

    Both terms are those of whole points: E_sg sees every coordinate, with the value it has at the end of the transition
    and held constant. The distance is that of x alone, the marginal entropy of x.

    Source: Du, Li, Tenenbaum, Mordatch, ICML 2021, sections 3.1 and 3.2, and its reference code.
    """

    def __init__(self, config: ImprovedCdConfig, value_range: tuple[float, float] | None = None) -> None:
        self.config = config
        self.value_range = value_range
        self.requires = Requires(
            tail_moves=config.moves,
            tail_rows=config.rows,
            reference=config.reference if config.w_ent else 0,
            reference_fill=config.fill if config.w_ent else 0,
        )

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns "kl", nats, and "entropy", log data units; the latter once the buffer is filled."""
        found: dict[str, Tensor] = {}
        if self.config.w_kl:
            found["kl"] = self.config.w_kl * phases.evaluate("tail")[: self.config.rows].mean()
        if self.config.w_ent and phases.reference is not None:
            found["entropy"] = -self.config.w_ent * self._entropy(phases)
        return found

    def _entropy(self, phases: Phases) -> Tensor:
        if phases.tail is None or phases.reference is None:
            raise CapabilityError("The entropy of improved-cd needs a tail and reference rows: keep its `requires`.")
        reference = phases.reference.x[: self.config.reference]
        if self.config.augment_reference != "none":
            law = PRESETS[self.config.augment_reference].jittered(self.config.augment_strength)
            reference = augment(reference, phases.rng("improved-cd"), law, self.value_range)
        reference = phases.joined(reference)
        return log_nearest_distance(phases.tail.x[: self.config.rows], reference, self.config.epsilon).mean()


def build_improved_cd(config: ImprovedCdConfig, context: BuildContext) -> ImprovedCd:
    """Builds the objective; raises CapabilityError where its references cannot be augmented."""
    if config.augment_reference != "none":
        _check_augmented(context)
    return ImprovedCd(config, context.value_range)


def _check_augmented(context: BuildContext) -> None:
    refused = not_images(context.event_shape)
    if refused:
        raise CapabilityError(f"improved-cd cannot be used here: {refused}")
    noised = [c.name for c in context.coordinates if c.noises_x]
    if noised or context.value_range is None:
        why = f"coordinate {noised[0]} takes x out of it" if noised else "this data set has none"
        raise CapabilityError(
            f"improved-cd augments images within their value range, but {why}: "
            'set objective.improved-cd.augment_reference = "none".'
        )
