"""log p(x) in one pass, by the noise levels of a joint model, and a check of it from both sides.

Let p(x, t) ∝ exp(−E(x, t)/T) have as much mass at every level t = 0 … L, as training with a uniform level makes it.
Then Z_t = ∫ exp(−E(x, t)/T) dx is one Z for all t, and p(x | t) = exp(−E(x, t)/T)/Z.

At the last level the law q of data is nearly known: x_L = a x_0 + s ε has the mean a m and the covariance a² Σ + s² I,
with m and Σ those of the data. Where the model is right there, log q(x) = −E(x, L)/T − log Z at every x, and so

    log p(x) = −E(x, 0)/T − log Z = (E(x, L) − E(x, 0))/T + log q(x):

two energies, no chain. Three things can be wrong with it, and each has its number. q is no Gaussian: KL(q ‖ Gaussian).
The model is wrong at the last level, or at x, which is not typical there: then −E(x, L)/T − log q(x), which is log Z
for every x, has a spread over data. Levels have unequal mass, Z_0 ≠ Z_L, or the model has mass where data are not:
then the density of one pass does not sum to one. Two checks find that. Bridge sampling along the levels, from draws of
the Gaussian that stay some moves at every level, gives log ∫ of it, which must be near 0, with few moves and with many.
Annealing from the Gaussian along the levels to level 0 bounds log Z_0 from below, and the way back, from draws at level
0, from above.

Source: Yadin, Elata, Michaeli (2024), section 3; the checks: Bennett (1976), Neal (2001), Grosse et al. (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import ceil

import torch
from torch import Tensor

from ebmkit.errors import DivergenceError
from ebmkit.evaluation.uncertainty import standard_error
from ebmkit.metrics.ais import convention, likelihood_estimates, log_z_estimates, nats_and_bits, remarks
from ebmkit.metrics.annealing.annealed import moves_for, pilot
from ebmkit.metrics.annealing.bridge import BridgedLogZ, bridged_log_z
from ebmkit.metrics.annealing.clean import bits_a_nat, check_over_x, clean, log_slope
from ebmkit.metrics.annealing.log_z import LogZ, Ways, both_ways
from ebmkit.metrics.annealing.noised import Between, gaussian_at, kl_from_gaussian, noise_at, noise_levels_of
from ebmkit.metrics.annealing.paths import Ladder, Reduced
from ebmkit.metrics.annealing.verdict import bridge_estimates, verdict
from ebmkit.metrics.declarations.likelihood import LikelihoodConfig
from ebmkit.ops.laws import Gaussian
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.metric import Estimate, Measured, Subject
from ebmkit.rng import stream
from ebmkit.sampling.model import Model
from ebmkit.views.view import view

ROWS = 500


class Likelihood:
    """log p of held-out data in one pass, and log Z from both sides; see `LikelihoodConfig`."""

    def __init__(self, config: LikelihoodConfig) -> None:
        self.config = config

    def measure(self, subject: Subject) -> Measured:
        """Returns −log p of held-out data in one pass and by log Z, with what the pass rests on.

        Raises:
            CapabilityError: the model is no joint of x and a noise level, or has a coordinate beside it.
            DivergenceError: an energy is not finite.
        """
        model, config = subject.model, self.config
        coordinate = noise_levels_of(model)
        last = (coordinate.n_values or 1) - 1
        held = clean(model, subject.held_out(min(config.n_data, subject.n_data)).x).x
        train = clean(model, subject.data("train").x).x
        gaussian = gaussian_at(train, coordinate, last)
        energies = level_energies(model, coordinate)
        check_over_x(model, energies[0])
        first, end = (_in_rows(energies[t], held) for t in (0, last))
        pass_z = -end - gaussian.log_prob(held.double())
        rng = stream(subject.seed, 0, "metric likelihood", model.device)
        kl = kl_from_gaussian(train, held, gaussian, noise_at(coordinate, last), rng)
        found, bridged = self._check(gaussian, energies, held, subject)
        units = log_slope(model)
        return Measured(
            estimates={
                **nats_and_bits("−log p, one pass", float((first + pass_z).mean()) - units,
                                standard_error(first + pass_z), first, model),
                **{name.replace("held-out data", "held-out data, log Z both ways"): estimate
                   for name, estimate in likelihood_estimates(first, found, model, units).items()},
                **bridge_estimates(bridged, pass_z),
                **_checks(pass_z, found, kl),
                **log_z_estimates(found, config.n_chains),
            },
            definition=(
                f"log p(x) = (E(x, {last}) − E(x, 0))/T + log q(x) of held-out x, q the Gaussian of training data "
                f"at level {last} of '{coordinate.name}'{convention(model)}. Beside it log of what the one-pass "
                "density sums to, 0 for a density, by bridge sampling along the levels; and log Z of level 0 by "
                "annealed importance sampling along them, both ways, over x as chains hold it: its ± is half the gap "
                "and two standard errors."
            ),
            notes=(*verdict(bridged, pass_z, 1 / bits_a_nat(model)), *_judged(pass_z, found, kl),
                   *remarks(found, "between"), *_of_the_ways(config, coordinate)),
        )  # fmt: skip

    def _check(
        self, gaussian: Gaussian, energies: list[Reduced], held: Tensor, subject: Subject
    ) -> tuple[LogZ, dict[int, BridgedLogZ]]:
        """Returns log Z of level 0, over x as chains hold it, along the levels: both ways, and bridged."""
        config, rng = self.config, stream(subject.seed, 0, "metric likelihood ways", subject.model.device)
        path = Ladder(base=gaussian, rungs=with_between(energies[::-1], config.between))
        moves = moves_for(gaussian, bounds=None, n_moves=config.moves, n_leapfrog=config.n_leapfrog, n=len(path) + 1)
        ways = Ways(n=config.n_chains, n_pilot=max(16, config.n_chains // 4), settle=config.settle)
        moves, _ = pilot(path, moves, ways.n_pilot, rng)
        found = both_ways(path, moves, held[: config.n_chains], ways, rng)
        at_a_rung = {n: ceil(n / (config.moves * (config.between + 1))) for n in config.bridge}
        return found, {
            n: bridged_log_z(path, moves, config.n_chains, rng, n_transitions=each) for n, each in at_a_rung.items()
        }


def level_energies(model: Model, coordinate: Coordinate) -> list[Reduced]:
    """Returns for each level x [B, *event], as chains hold it, ↦ E/T [B] in fp32."""
    seen, temperature = view(model.energy, "fp32"), model.temperature

    def energy(x: Tensor, value: int) -> Tensor:
        level = torch.full((len(x),), value, device=x.device)
        return seen.constant(Point(x=x).with_aux(**{coordinate.name: level})) / temperature

    return [partial(energy, value=value) for value in range(coordinate.n_values or 0)]


def with_between(rungs: Sequence[Reduced], n: int) -> list[Reduced]:
    """Returns energies with n mixtures of each and the next one between them."""

    def mixed(x: Tensor, low: Reduced, high: Reduced, share: float) -> Tensor:
        return (1 - share) * low(x) + share * high(x)

    found = [rungs[0]]
    for low, high in pairwise(rungs):
        found += [partial(mixed, low=low, high=high, share=(i + 1) / (n + 1)) for i in range(n)]
        found.append(high)
    return found


@torch.no_grad()
def _in_rows(energy: Reduced, x: Tensor) -> Tensor:
    found = torch.cat([energy(rows).double() for rows in torch.split(x, ROWS)])
    if not bool(torch.isfinite(found).all()):
        raise DivergenceError("The energy of a datum is not finite: it has no likelihood.")
    return found


def _checks(pass_z: Tensor, found: LogZ, kl: Between) -> dict[str, Estimate]:
    n, error = len(pass_z), standard_error(pass_z)
    mean, spread = float(pass_z.mean()), float(pass_z.std())
    return {
        "log Z of one pass": Estimate(value=mean, error=error, n=n, unit="nats"),
        "its spread over data": Estimate(
            value=spread, error=spread / (2 * n) ** 0.5, n=n, better="lower", unit="nats"
        ),
        "one pass less both ways": Estimate(value=mean - found.value, error=found.error + 2 * error, n=n, unit="nats"),
        "KL(q ‖ Gaussian), at least": Estimate(value=kl.lower, error=kl.lower_error, n=n, better="lower", unit="nats"),
        "KL(q ‖ Gaussian), at most": Estimate(value=kl.upper, error=kl.upper_error, n=n, better="lower", unit="nats"),
    }  # fmt: skip


def _judged(pass_z: Tensor, found: LogZ, kl: Between) -> list[str]:
    """Returns whether the one pass is certified, in words."""
    error = found.error + 2 * standard_error(pass_z)
    difference = float(pass_z.mean()) - found.value
    if abs(difference) <= error:
        return [f"log Z of one pass is within the error of that of both ways, {error:.3g} nats."]
    return [
        f"log Z of one pass is {difference:+.3g} nats from the middle of both ways, beyond their error of {error:.3g}: "
        f"the likelihood in one pass is not certified. Its two causes here: the spread over data, "
        f"{float(pass_z.std()):.3g} nats, and levels of unequal mass."
    ]


def _of_the_ways(config: LikelihoodConfig, coordinate: Coordinate) -> list[str]:
    told = [
        f"The way back starts at held-out data after {config.settle} adjusted transitions at level 0: it bounds log Z "
        "from above only as far as these are draws of the model."
    ]
    smooth = noise_at(coordinate, 0)[1]
    if smooth > 0:
        told.append(
            f"The model is one of data with noise of s.d. {smooth:.3g}, as its chains hold them; held-out data are "
            "judged without it."
        )
    return told


def build_likelihood(config: LikelihoodConfig, context: BuildContext) -> Likelihood:
    """Builds the metric."""
    return Likelihood(config)
