"""Declarations: what a part is called, what it can be given, what it needs. Imports no torch and has no effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, overload

from ebmkit.errors import EbmkitError, PluginError
from ebmkit.plugins.wellformed import (
    derived_words,
    wrong_aliases,
    wrong_answer,
    wrong_config,
    wrong_deprecated,
    wrong_name,
    wrong_of_observer,
    wrong_place,
    wrong_training,
    wrong_traits,
)
from ebmkit.protocols.traits import SamplerTraits

KINDS = ("energy", "wrapper", "coordinate", "sampler", "buffer", "objective", "dataset", "metric", "observer")


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
        resolved: the recipe is complete, as that of a run: a setting of it that does nothing is no reason to refuse it.
    """

    capabilities: frozenset[str] = frozenset()
    temperature: float = 1.0
    coordinates: tuple[str, ...] = ()
    noised: tuple[str, ...] = ()
    discrete: tuple[str, ...] = ()
    event_shape: tuple[int, ...] | None = None
    resolved: bool = False


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
        aliases: other names that the field has for it; they are hints for who types them.
        cite: "Authors (year). Title. Where. arXiv:number", with full names; several separated by "; "; empty for common
            knowledge.
        needs: words it needs; a tuple of `Need` or a function of (config, selection).
        gives: words it gives; a tuple or a function of (config, selection). Those of a sampler's traits are added.
        traits: of a sampler, what it does: `SamplerTraits`, or a function of (config, selection) that returns them.
        includes: parts that come along; a tuple of `Include` or a function of (config, selection).
        hides: words of the energy that a wrapper takes away; a tuple or a function of (config, selection).
        negatives: of an objective, whether it needs chains of the model, as its `requires.negatives` says once it is
            built; or a function of (config, selection). Where no objective does, a run has no sampler and no buffer,
            and T is 1.
        optim: settings of `[optim.NAME]` for a part that owns parameters (an energy's go to `[optim.energy]`).
        skip: a function of (config, selection): the reason not to include it here, or "".
        refuse: a function of (config, selection): the reason why it cannot work here, or "".
        benchmarks: "package.module:callable" without arguments that returns the `Workload`s which `ebmkit bench` times
            for it; "" for none.
        deprecated: setting → since when, when it goes, and what to use instead; "" stands for the part itself. It is
            said to whoever uses it.
        training: settings of how it is trained and where chains begin, which change nothing of what it computes: a run
            that starts from another (`--init`) may have others.
    """

    kind: str
    name: str
    build: str
    summary: str
    config: type[Any] = NoConfig
    cite: str = ""
    aliases: tuple[str, ...] = ()
    needs: tuple[Need, ...] | Callable[[Any, Selection], tuple[Need, ...]] = ()
    gives: tuple[str, ...] | Callable[[Any, Selection], tuple[str, ...]] = ()
    traits: SamplerTraits | Callable[[Any, Selection], SamplerTraits] | None = None
    includes: tuple[Include, ...] | Callable[[Any, Selection], tuple[Include, ...]] = ()
    hides: tuple[str, ...] | Callable[[Any, Selection], tuple[str, ...]] = ()
    negatives: bool | Callable[[Any, Selection], bool] = True
    optim: Mapping[str, Any] = field(default_factory=dict)
    skip: Rule | None = None
    refuse: Rule | None = None
    benchmarks: str = ""
    deprecated: Mapping[str, str] = field(default_factory=dict)
    training: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrongs = (
            wrong_name(self.kind, self.name, KINDS),
            wrong_config(self.config),
            wrong_aliases(self.aliases),
            wrong_place("build", self.build),
            wrong_place("benchmarks", self.benchmarks or "none:none"),
            wrong_traits(self.kind, self.traits),
            wrong_deprecated(self.deprecated, self.config),
            wrong_training(self.training, self.config),
            wrong_of_observer(self.kind, needs=self.needs, gives=self.gives, includes=self.includes, hides=self.hides),
            *(self._wrong(question, getattr(self, question)) for question in ANSWERS),
        )
        for wrong in filter(None, wrongs):
            raise PluginError(f"Component '{self.name}': {wrong}.")

    @overload
    def ask(self, question: Literal["needs"], config: object, selection: Selection) -> tuple[Need, ...]: ...
    @overload
    def ask(self, question: Literal["includes"], config: object, selection: Selection) -> tuple[Include, ...]: ...
    @overload
    def ask(self, question: Literal["gives", "hides"], config: object, selection: Selection) -> tuple[str, ...]: ...
    @overload
    def ask(self, question: str, config: object, selection: Selection) -> tuple[object, ...]: ...

    def ask(self, question: str, config: object, selection: Selection) -> tuple[object, ...]:
        """Returns its `needs`, `gives`, `includes` or `hides` for a config and selection.

        Raises:
            PluginError: the declaration's own function fails, or answers something else.
        """
        declared = getattr(self, question)
        answer = self._called(question, config, selection) if callable(declared) else declared
        wrong = self._wrong(question, answer)
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

    def needs_negatives(self, config: object, selection: Selection) -> bool:
        """Returns whether an objective needs chains of the model."""
        answer = self._called("negatives", config, selection) if callable(self.negatives) else self.negatives
        return bool(answer)

    def objection(self, rule: str, config: object, selection: Selection) -> str:
        """Returns the reason that its `skip` or `refuse` gives, "" where there is none."""
        return str(self._called(rule, config, selection) or "") if getattr(self, rule) is not None else ""

    def _wrong(self, question: str, answer: object) -> str:
        """Returns what is wrong with an answer: its type, or a word that follows from a sampler's traits."""
        wrong = wrong_answer(question, answer, ANSWERS[question])
        return wrong or (derived_words(answer) if question == "gives" and self.kind == "sampler" else "")

    def _called(self, name: str, config: object, selection: Selection) -> Any:
        try:
            return getattr(self, name)(config, selection)
        except EbmkitError:
            raise
        except Exception as error:  # a stranger's function: its failure is told like that of his import
            raise PluginError(
                f"{self.kind} '{self.name}': its {name}(config, selection) failed, {type(error).__name__}: {error}"
            ) from error


ANSWERS: Mapping[str, type] = {"needs": Need, "gives": str, "includes": Include, "hides": str}
