"""What every energy promises: one number a row, of that row alone, that can be differentiated, saved and frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ebmkit.plugins.component import Selection
from ebmkit.point import Point
from ebmkit.protocols.energy import abilities_of, derivatives_of, level_coordinate_of
from ebmkit.testing.assembled import Assembled, assembled
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.energy_laws import check_alone, check_gradient, check_unchanged, check_view
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import seeded
from ebmkit.training.checker.abilities import check_abilities
from ebmkit.training.checker.energy import ADVICE, check_answer, check_derivatives, check_mode, check_repeats
from ebmkit.training.checker.snapshots import alike
from ebmkit.training.checker.streams import own_stream_only

MOST = 3
"""How often an energy without a bound is differentiated in a row: a loss of derivatives of scores asks for no more."""


@contextmanager
def still(part: Examined) -> Iterator[tuple[Any, Point, Assembled]]:
    """Gives an energy in training mode, points for it and what it was assembled with; its norms are held meanwhile."""
    among = assembled(part)
    energy = among.energy()
    with parametrize.cached():
        yield energy, among.point(), among


def _as(check: Callable[..., None], *more: object) -> Callable[[Examined], None]:
    """Returns a check of the first steps of a run as a check of the kit."""

    def look(part: Examined) -> None:
        with still(part) as (energy, point, _):
            check(part.label, energy, point, *more)

    return look


def draws_nothing(part: Examined) -> None:
    """Raises PluginError where an energy draws random numbers, or gives two answers at one point."""
    with still(part) as (energy, point, _):
        with own_stream_only(part.label, ADVICE):
            energy(point)
        check_repeats(part.label, energy, point)


def rows_are_alone(part: Examined) -> None:
    """Raises where a row's energy, in training mode, changes with the order or the number of the rows."""
    with still(part) as (energy, point, _):
        check_alone(part.label, energy, point)


def has_the_gradient(part: Examined) -> None:
    """Raises CheckFailed where ∇ₓE is not what finite differences say, in float64."""
    among = assembled(part)
    check_gradient(among.energy(), among.point())


def changes_nothing(part: Examined) -> None:
    """Raises CheckFailed where asking changes weights or statistics of an energy."""
    with still(part) as (energy, point, _):
        check_unchanged(energy, point)


def can_be_differentiated(part: Examined) -> None:
    """Raises CapabilityError where an energy cannot be differentiated as often as it says, or three times."""
    with still(part) as (energy, point, _):
        bound = derivatives_of(energy)
        check_derivatives(part.label, energy, point, MOST if bound is None else max(1, min(bound, MOST)), True)


def answers_its_abilities(part: Examined) -> None:
    """Raises PluginError where a declared ability is not answered, or has another shape or value than it must have."""
    _has_what_it_gives(part)
    with still(part) as (energy, point, among):
        check_abilities(part.label, energy, point, among.parts.coordinates)


def _has_what_it_gives(part: Examined) -> None:
    """Raises CheckFailed where a word of the declaration stands for an ability that the built energy lacks."""
    component, selection = part.component, Selection()
    config = component.config(**part.settings)
    config = config.settled(selection) if hasattr(config, "settled") else config
    have = abilities_of(assembled(part).parts.energy)
    for word in component.ask("gives", config, selection):
        ability = word.removeprefix("energy.")
        if (ability in ("features", "latent") or level_coordinate_of(ability)) and ability not in have:
            raise CheckFailed(
                f"its declaration gives '{word}', and the abilities of what is built are: {', '.join(sorted(have))}. "
                f"Add '{ability}' to `abilities` and answer it in evaluate, or take the word out of `gives`."
            )


def is_saved_whole(part: Examined) -> None:
    """Raises CheckFailed where an energy with the saved state of another one is another energy."""
    among = assembled(part)
    first, second = among.energy(), among.energy()
    if not isinstance(first, nn.Module) or not list(first.parameters()):
        raise NotApplicable("it owns no parameters")
    with torch.no_grad():
        for i, parameter in enumerate(second.parameters()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(i)))
    first, second, point = first.eval(), second.eval(), among.point()
    first(point)  # what it keeps from its first use, it would keep when a checkpoint is loaded
    wanted: Tensor = second(point).detach()
    first.load_state_dict({name: value.clone() for name, value in second.state_dict().items()})
    found: Tensor = first(point).detach()
    if not alike(found, wanted, 1e-6):
        raise CheckFailed(
            f"with the state_dict of another energy it gives {float(found[0]):.5g} where that gives "
            f"{float(wanted[0]):.5g}: a resumed run would differ. Keep what it depends on in parameters and buffers."
        )


def is_frozen_true(part: Examined) -> None:
    """Raises CheckFailed where the view that sampling sees has other values or gradients than the energy."""
    among = assembled(part)
    check_view(among.energy(), among.point())


def holds_what_it_wraps(part: Examined) -> None:
    """Raises CheckFailed where the wrapped energy is no module of a wrapper, or no gradient reaches its weights."""
    among = assembled(part)
    energy, inner = among.energy(), type(among.bare())
    held = [m for m in energy.modules() if isinstance(m, inner)] if isinstance(energy, nn.Module) else []
    if not held:
        raise CheckFailed(
            f"no {inner.__name__} is among its modules, though it wraps one: those weights are neither trained nor "
            "saved. Be an nn.Module, and keep it as one: self.inner = context.inner."
        )
    weights = [p for module in held for p in module.parameters() if p.requires_grad]
    if not weights:
        return
    found = torch.autograd.grad(energy(among.point()).square().sum(), weights, allow_unused=True)
    if not any(g is not None and bool((g != 0).any()) for g in found):
        raise CheckFailed(
            "its energy has no gradient in the weights of the energy that it wraps: they are never trained. Leave out "
            "detach() and no_grad() on the way."
        )


PROMISES = (
    Promise(name="answer", text="one finite number a row; the point is left alone", look=_as(check_answer, True)),
    Promise(name="deterministic", text="one point has one energy, and no random number is drawn", look=draws_nothing),
    Promise(name="rows", text="a row's energy is that of the row, in training mode too", look=rows_are_alone),
    Promise(name="mode", text="training and evaluation mode are one energy", look=_as(check_mode)),
    Promise(name="gradient", text="∇ₓE is what finite differences in float64 say", look=has_the_gradient),
    Promise(name="unchanged", text="asking changes nothing", look=changes_nothing),
    Promise(name="derivatives", text="it can be differentiated as often as it says", look=can_be_differentiated),
    Promise(name="abilities", text="it answers its abilities, and they agree with it", look=answers_its_abilities),
    Promise(name="saved", text="its state_dict is all that it depends on", look=is_saved_whole),
    Promise(name="view", text="what sampling sees is the energy itself", look=is_frozen_true),
)  # fmt: skip
"""Of every energy, and of every wrapper around one."""

OF_WRAPPERS = (
    *PROMISES,
    Promise(name="inner", text="what it wraps is trained and saved with it", look=holds_what_it_wraps),
)
