"""Declarations: what a part is called, what it can be given, what it needs. Imports no torch and has no effect."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from ebmkit.errors import EbmkitError, PluginError
from ebmkit.protocols.traits import DERIVED, SamplerTraits

KINDS = ("energy", "wrapper", "coordinate", "sampler", "buffer", "objective", "dataset", "metric")
NAME = re.compile(r"(?!\d+$)[\w-]+", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class NoConfig:
    """The config of a part that has nothing to set."""


@dataclass(frozen=True, slots=True)
class Need:
    """A capability word that some chosen part must give.

    A wrapper's `energy.` words must come from inside it, a coordinate's `point.` words from before it.

    Attributes:
        word: what is needed, `energy.latent` or `point.level`.
        default: the part that gives it where nothing chosen does: a wrapper for `energy.`, a coordinate for `point.`,
            a sampler for `sampler.` and `moves.`, an objective for `objective.`.
        config: settings under which a chosen part, or the default, gives it. They are set where no chosen part gives
            the word but one would, and never against what the user set.
        otherwise: what would do without it, for the message where nothing gives it: "set objective.NAME.weight = 0".
    """

    word: str
    default: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Include:
    """A part that comes along, unless one of that name was chosen already, or its `skip` or `refuse` objects.

    Attributes:
        kind: its kind.
        name: its name.
        config: its settings; leave empty where others include the same part.
        before: a name or capability word: it is put before the first part that has it.
        reason: why, for the person who reads what was added.
    """

    kind: str
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    before: str | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What a declaration may know of the other chosen parts.

    Attributes:
        capabilities: capability words of the chosen samplers.
        temperature: of the run, p ∝ exp(−E/T).
        coordinates: names of the chosen coordinates.
        noised: names of those that noise x: they give `point.noised`.
        discrete: names of those that have a number of values: they give `point.discrete`.
        event_shape: shape of one datum where the data set is known, else None.
    """

    capabilities: frozenset[str] = frozenset()
    temperature: float = 1.0
    coordinates: tuple[str, ...] = ()
    noised: tuple[str, ...] = ()
    discrete: tuple[str, ...] = ()
    event_shape: tuple[int, ...] | None = None


Rule = Callable[[Any, Selection], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """One part that a plugin offers.

    Attributes:
        kind: one of `KINDS`.
        name: what the user types, unique within its kind.
        config: frozen dataclass of its settings; every default lives there. Its method `settled(selection)`, if any,
            returns the config with every unset value decided: what is asked below sees that one. A sampler's may have
            `implied_temperature`, the T that its settings fix or None, and `usual_temperature`, T where it is free.
        build: "package.module:callable", called as `callable(config, context)` when the part is used.
        summary: one line.
        cite: authors, year, title, where; empty for common knowledge.
        needs: words it needs; a tuple of `Need` or a function of (config, selection).
        gives: words it gives; a tuple or a function of (config, selection). Those of a sampler's traits are added.
        traits: of a sampler, what it does: `SamplerTraits`, or a function of (config, selection) that returns them.
        includes: parts that come along; a tuple of `Include` or a function of (config, selection).
        hides: words of the energy that a wrapper takes away; a tuple or a function of (config, selection).
        optim: settings of `[optim.NAME]` for a part that owns parameters (an energy's go to `[optim.energy]`).
        skip: a function of (config, selection): the reason not to include it here, or "".
        refuse: a function of (config, selection): the reason why it cannot work here, or "".
        benchmarks: "package.module:callable" without arguments that returns the `Workload`s which `ebmkit bench` times
            for it; "" for none.
    """

    kind: str
    name: str
    build: str
    summary: str
    config: type = NoConfig
    cite: str = ""
    needs: tuple[Need, ...] | Callable[[Any, Selection], tuple[Need, ...]] = ()
    gives: tuple[str, ...] | Callable[[Any, Selection], tuple[str, ...]] = ()
    traits: SamplerTraits | Callable[[Any, Selection], SamplerTraits] | None = None
    includes: tuple[Include, ...] | Callable[[Any, Selection], tuple[Include, ...]] = ()
    hides: tuple[str, ...] | Callable[[Any, Selection], tuple[str, ...]] = ()
    optim: Mapping[str, Any] = field(default_factory=dict)
    skip: Rule | None = None
    refuse: Rule | None = None
    benchmarks: str = ""

    def __post_init__(self) -> None:
        answers = (self._misdeclared(question, getattr(self, question)) for question in ANSWERS)
        for wrong in (self._misnamed(), self._misbuilt(), self._mistraited(), *answers):
            if wrong:
                raise PluginError(f"Component '{self.name}': {wrong}.")

    def ask(self, question: str, config: Any, selection: Selection) -> tuple[Any, ...]:
        """Returns its `needs`, `gives`, `includes` or `hides` for a config and selection.

        Raises:
            PluginError: the declaration's own function fails, or answers something else.
        """
        declared = getattr(self, question)
        answer = self._called(question, config, selection) if callable(declared) else declared
        wrong = self._misdeclared(question, answer)
        if wrong:
            raise PluginError(f"{self.kind} '{self.name}': {wrong}.")
        derived = self.traits_of(config, selection).words if question == "gives" and self.kind == "sampler" else ()
        return (*sorted(derived), *answer)

    def traits_of(self, config: Any, selection: Selection) -> SamplerTraits:
        """Returns what a sampler does under a config and selection.

        Raises:
            PluginError: the declaration's own function fails, or answers something else.
        """
        found = self._called("traits", config, selection) if callable(self.traits) else self.traits
        if not isinstance(found, SamplerTraits):
            raise PluginError(f"{self.kind} '{self.name}': traits must be SamplerTraits, found {found!r}.")
        return found

    def objection(self, rule: str, config: Any, selection: Selection) -> str:
        """Returns the reason that its `skip` or `refuse` gives, "" where there is none."""
        return str(self._called(rule, config, selection) or "") if getattr(self, rule) is not None else ""

    def _called(self, name: str, config: Any, selection: Selection) -> Any:
        try:
            return getattr(self, name)(config, selection)
        except EbmkitError:
            raise
        except Exception as error:  # a stranger's function: its failure is told like that of his import
            raise PluginError(
                f"{self.kind} '{self.name}': its {name}(config, selection) failed, {type(error).__name__}: {error}"
            ) from error

    def _misnamed(self) -> str:
        if self.kind not in KINDS:
            return f"its kind is '{self.kind}'; a kind is one of {', '.join(KINDS)}"
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            return f"a name is letters, digits, - and _, and not a number; found {self.name!r}"
        if self.kind == "objective" and self.name in ("energy", "buffer", "tuning"):
            return f"no objective can be called '{self.name}': a checkpoint keeps something else under that name"
        return ""

    def _misbuilt(self) -> str:
        if not isinstance(self.config, type) or not is_dataclass(self.config) or not _is_frozen(self.config):
            return f"config must be a frozen dataclass, found {self.config!r}"
        if "use" in self.config.__dataclass_fields__:
            return "no setting can be called 'use': in a recipe it names the part"
        if not isinstance(self.build, str) or not all(self.build.partition(":")):
            return f"build is 'package.module:callable', found {self.build!r}"
        if not isinstance(self.benchmarks, str) or not all((self.benchmarks or "x:y").partition(":")):
            return f"benchmarks is 'package.module:callable', found {self.benchmarks!r}"
        return ""

    def _mistraited(self) -> str:
        if self.kind != "sampler":
            return "" if self.traits is None else f"traits are those of a sampler, and it is of kind '{self.kind}'"
        if isinstance(self.traits, SamplerTraits) or callable(self.traits):
            return ""
        return f"a sampler needs traits = SamplerTraits(…), or a function that returns them; found {self.traits!r}"

    def _derives(self, word: str) -> bool:
        return self.kind == "sampler" and word.startswith(DERIVED)

    def _misdeclared(self, question: str, answer: Any) -> str:
        if callable(answer):
            return ""
        kind = ANSWERS[question]
        if isinstance(answer, (tuple, list)) and all(isinstance(item, kind) for item in answer):
            said = [word for word in answer if question == "gives" and self._derives(word)]
            return f"{', '.join(said)} follows from a sampler's traits: leave it out of gives" if said else ""
        return f"{question} must be a tuple of {kind.__name__}, or a function that returns one; found {answer!r}"


ANSWERS: Mapping[str, type] = {"needs": Need, "gives": str, "includes": Include, "hides": str}


def _is_frozen(config: type) -> bool:
    return bool(config.__dataclass_params__.frozen)  # type: ignore[attr-defined]
