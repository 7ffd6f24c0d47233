"""Rehearses the first steps of a run on copies of its parts, each part looked at in turn."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from torch import nn
from torch.nn.utils import parametrize

from ebmkit.data.spec import DataSpec
from ebmkit.errors import EbmkitError
from ebmkit.point import Batch, Point
from ebmkit.processes import ALONE
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import Phases
from ebmkit.protocols.sampler import Tail, Tuning
from ebmkit.rng import stream
from ebmkit.samplers.sequence import Sequence as Samplers
from ebmkit.training.checker.abilities import check_abilities
from ebmkit.training.checker.batch import check_batch
from ebmkit.training.checker.buffer import check_draw, check_draws_again, check_put, check_reference
from ebmkit.training.checker.coordinates import check_lifts, check_priors
from ebmkit.training.checker.copies import copied, copied_batch, copied_tuning
from ebmkit.training.checker.energy import check_energy
from ebmkit.training.checker.labels import Labels
from ebmkit.training.checker.objectives import check_objectives
from ebmkit.training.checker.sampler import Step, Transition, check_sampler
from ebmkit.training.checker.snapshots import kept
from ebmkit.training.checker.streams import GlobalStreams
from ebmkit.training.monitor import is_filled
from ebmkit.training.parts import Parts
from ebmkit.views.frozen import iterate_parametrisations

FEW = 8
"""Rows at which an energy is asked again and again."""

_log = logging.getLogger(__name__)


class Checker:
    """Looks at every part in the first steps that it sees, and names the one that breaks a promise.

    It is passive: the step is rehearsed on copies of the parts, with random streams that the step makes anew, and the
    global streams are put back. Nothing is kept between steps but their count.

    Args:
        steps: that are looked at; 0 for none.
        data: what the data set says of itself; None where nobody knows.
        labels: what messages call the parts.
        inside: the energies inside each wrapper, the innermost first; not the whole of it.
    """

    def __init__(
        self, steps: int, data: DataSpec | None = None, labels: Labels | None = None, inside: Sequence[Energy] = ()
    ) -> None:
        self.left, self.fresh = steps, True
        self.data, self.labels, self.inside = data, labels or Labels(), tuple(inside)
        self.last = -1

    def __call__(self, parts: Parts, batch: Batch, step: int, tuning: Tuning) -> None:
        """Looks at all parts as a training step is about to use them.

        Raises:
            DataError: the batch is not what the data set declared.
            PluginError, CapabilityError: another part breaks a promise.
        """
        self._count(step)
        if self.left <= 0:
            return
        check_batch(self.labels.dataset, batch, self.data, parts.device)
        streams, fresh = GlobalStreams.now(), self.fresh
        self.left, self.fresh = self.left - 1, False
        try:
            made, inside = copied(parts, self.inside)
            _Rehearsal(self, made, parts, inside, step, fresh).run(copied_batch(batch), copied_tuning(tuning))
        except EbmkitError:
            raise
        except Exception as error:  # a part fails, or cannot be copied: if it is its fault, the step says so itself
            _log.info("step %s was not rehearsed: %s: %s", step, type(error).__name__, error)
        finally:
            streams.restore()
            self.inside = self.inside if self.left else ()

    def _count(self, step: int) -> None:
        """Warns once where a loop makes one step twice: its chains would draw the same numbers again and again."""
        if step == self.last:
            warnings.warn(
                f"train_step was asked for step {step} twice in a row, so that the chains draw the same random numbers "
                "again. Count the steps: for step, batch in enumerate(loader, 1).",
                stacklevel=4,
            )
        self.last = step


class _Rehearsal:
    """One step on copies. Weights that a parametrisation computes are shared by all passes: their graph is retained."""

    def __init__(
        self, checker: Checker, parts: Parts, live: Parts, inside: tuple[Energy, ...], step: int, fresh: bool
    ) -> None:
        self.parts, self.live, self.inside, self.fresh = parts, live, inside, fresh
        self.data, self.labels = checker.data, checker.labels
        self.rng = partial(stream, parts.seed, step, device=parts.device)

    def run(self, batch: Batch, tuning: Tuning) -> None:
        """Looks at each part in the order in which a step uses them, at what cannot change in the first step alone."""
        parts, needs = self.parts, self.parts.requires
        with parametrize.cached():
            if isinstance(parts.energy, nn.Module):
                iterate_parametrisations(parts.energy)
            positive = check_lifts(parts.coordinates, batch, self.rng)
            if self.fresh:
                check_priors(parts.coordinates, batch, self.rng)
            self._energy(positive.map(lambda tensor: tensor[:FEW]))
            chains = self._chains(positive, tuning) if needs.negatives else {}
            if needs.negatives and not chains:
                return
            phases = Phases(
                energy=parts.energy, batch=batch, positive=positive, abilities=needs.abilities, rng=self.rng,
                constant=parts.view.constant if needs.tail_moves else None, world=ALONE, **chains,
            )  # fmt: skip
            check_objectives(parts, self.live, phases)

    def _energy(self, point: Point) -> None:
        needs, energy = self.parts.requires, self.parts.energy
        asks = needs.negatives and self.parts.sampler.traits.asks_gradient
        times = needs.derivatives if needs.derivatives > 1 else int(asks)
        times = times if self.fresh else 0

        def check(label: str, asked: Energy) -> None:
            check_energy(label, asked, point, differentiated=times, fresh=self.fresh)
            check_abilities(label, asked, point, self.parts.coordinates)

        inside = [partial(check, *pair) for pair in zip(self.labels.stages, self.inside, strict=False)]
        _blame(partial(check, self.labels.stages[-1], energy), inside)

    def _chains(self, positive: Point, tuning: Tuning) -> dict[str, Point | None]:
        """Returns negative, tail and reference; nothing where the chains are not finite."""
        parts, needs = self.parts, self.parts.requires
        match = frozenset(positive.aux) - parts.sampler.traits.coordinates
        bounded = not any(c.noises_x for c in parts.coordinates)
        token, start, rows = None, positive, {}
        if parts.buffer is not None:
            rows = kept(parts.buffer.state_dict())
            token, start = check_draw(
                self.labels.buffer, parts.buffer, positive, match, self.rng, self.data, bounded
            )  # fmt: skip
        asked = (
            Tail(moves=needs.tail_moves, rows=min(needs.tail_rows, len(start)) or None) if needs.tail_moves else None
        )
        step = self._moved(Transition(parts.view, start, tuning, partial(self.rng, "chains"), asked))
        if step is None:
            return {}
        end = step[0].point
        negative, reference = end.map(lambda tensor: tensor.detach().clone()), None
        if parts.buffer is not None:
            if needs.reference and is_filled(parts.buffer, needs.reference_fill):
                reference = parts.buffer.reference(needs.reference, self.rng("reference"), exclude=token)
            check_reference(self.labels.buffer, parts.buffer, needs.reference, token, negative, self.rng)
            if self.fresh:
                check_put(self.labels.buffer, parts.buffer, token, negative, start)
                check_draws_again(self.labels.buffer, parts.buffer, rows, start, positive, match, self.rng)
        tail = end.map(lambda tensor: tensor[: asked.rows]) if asked else None
        return {"negative": negative, "tail": tail, "reference": reference}

    def _moved(self, of: Transition) -> Step | None:
        """Returns the transition of the whole sampler; of a sequence, the part that breaks a promise is named."""
        found: list[Step | None] = []
        sampler, labels = self.parts.sampler, self.labels

        def whole() -> None:
            found.append(check_sampler(labels.sampler, sampler, of, self.data, twice=self.fresh))

        inside: list[Callable[[], object]] = []
        if isinstance(sampler, Samplers) and len(labels.samplers) == len(sampler.children):
            for i, (label, child) in enumerate(zip(labels.samplers, sampler.children, strict=True)):
                alone = of._replace(tuning=of.tuning.get(str(i), {}), tail=None)
                inside.append(partial(check_sampler, label, child, alone, self.data, twice=True))
        _blame(whole, inside)
        return found[0]


def _blame(whole: Callable[[], object], inside: Iterable[Callable[[], object]]) -> None:
    """Makes a check of a part; where it fails, makes those of the parts inside it, to find whose fault it is."""
    try:
        whole()
    except EbmkitError:
        for check in inside:
            try:
                check()
            except EbmkitError:
                raise
            except Exception as error:  # it cannot be asked alone
                _log.debug("%s", error)
        raise
