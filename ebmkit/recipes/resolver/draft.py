"""The parts chosen so far, and the questions that the resolver asks of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ebmkit.errors import CapabilityError, EbmkitError, RecipeError
from ebmkit.plugins.component import Include, Need, Selection
from ebmkit.plugins.host import Host
from ebmkit.plugins.scale import Scale
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.declared import declaration_of
from ebmkit.recipes.recipe import LISTS, SINGLES, Part, Recipe, kind_of, table_of
from ebmkit.recipes.resolver.assumed import Assumed
from ebmkit.recipes.resolver.choice import BY_DEFAULT, Choice, Key, capabilities_under, settled
from ebmkit.recipes.resolver.defaults import default_part
from ebmkit.recipes.resolver.ordering import Capabilities, ordered
from ebmkit.recipes.resolver.overrides import read_overrides, settings_for, settings_of_table
from ebmkit.recipes.resolver.temperature import decided
from ebmkit.recipes.resolver.vectors import WHY, are_vectors, settings_of_part, with_usual
from ebmkit.recipes.settings import as_toml, settings_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OF_CHAINS = ("sampler", "buffer")
CHAINED = {"wrapper": "energy.", "coordinate": "point."}  # parts built on one another: these words come from before


class Draft:
    """The choices of one pass. Each question is asked under what the pass assumes, so its answer has no history."""

    def __init__(
        self, recipe: Recipe, host: Host, event_shape: tuple[int, ...] | None, scale: Scale | None = None
    ) -> None:
        self.recipe, self.host, self.event_shape, self.scale = recipe, host, event_shape, scale
        self.has_vectors = are_vectors(event_shape) and not recipe.resolved
        self.overrides = read_overrides(recipe.overrides)
        run = settings_of_table(self.overrides, "run")
        self.run = with_usual(recipe, self.has_vectors).with_table("run", **run).table("run")
        self.choices: list[Choice] = []
        self.left_out: dict[Choice, str] = {}
        self.problems: list[str] = []
        for table in (*SINGLES, *LISTS):
            self._take(table, recipe.parts.get(table, ()))
        self.assumed = Assumed(selection=self.selection())

    def assume(self, assumed: Assumed) -> None:
        """Starts a pass: rules are asked under this selection, and parts have these settings."""
        self.assumed = assumed
        if not assumed.chains:
            self.choices = [c for c in self.choices if c.table not in OF_CHAINS or c.reason != BY_DEFAULT]
        for choice in self.choices:
            self._grant_assumed(choice)

    # --- choices

    def of(self, *tables: str) -> list[Choice]:
        """Returns the choices of some tables, in the order in which they were made."""
        return [choice for choice in self.choices if choice.table in tables]

    def everyone(self) -> Iterator[Choice]:
        """Yields every choice, in an order on which that of naming objectives, wrappers, coordinates has no effect."""
        for table in (*SINGLES, *LISTS):
            yield from self.ordered(table)

    def ordered(self, table: str) -> list[Choice]:
        """Returns the choices of a table in the order that a recipe has them."""
        chosen = self.of(table)
        if self.recipe.resolved or table == "sampler":
            return chosen
        by_name = {choice.name: choice for choice in sorted(chosen, key=lambda c: c.name)}
        if table not in CHAINED:
            return list(by_name.values())
        try:
            return [by_name[name] for name in ordered({name: self._capabilities(c) for name, c in by_name.items()})]
        except CapabilityError as error:
            self.problem(str(error))
            return list(by_name.values())

    def choice(self, table: str, name: str, reason: str, settings: Mapping[str, object] | None = None) -> Choice:
        """Returns a part that is not yet chosen, with what the user and the assumptions set on it."""
        kind = kind_of(table)
        try:
            found = Choice(table, self.host.get(kind, name), {}, reason=reason)
        except EbmkitError as error:
            raise type(error)(f"{kind} {name} is wanted ({reason}). {error}") from error
        found.given = settings_for(self.overrides, found)
        found.grant(settings or {}, reason)
        self._grant_assumed(found)
        return found

    def add(self, choice: Choice, before: frozenset[str] = frozenset()) -> None:
        """Adds a part at the end of its table, or before the first part that has one of some names or words."""
        place = len(self.choices)
        for i, other in enumerate(self.choices):
            if other.table == choice.table and before & {other.name, *self.gives(other)}:
                place = i
                break
        self.choices.insert(place, choice)
        self.left_out = {other: reason for other, reason in self.left_out.items() if other.key != choice.key}

    def part(self, choice: Choice) -> Part:
        """Returns a choice as a recipe holds it, with every setting."""
        return Part(choice.name, settings_of(self.settled(choice)), choice.built)

    def problem(self, message: str) -> None:
        """Keeps what cannot be met; it counts only if the pass turns out to assume the truth."""
        if message not in self.problems:
            self.problems.append(message)

    # --- questions

    def settled(self, choice: Choice) -> DataclassInstance:
        """Returns the config of a part with every unset value decided."""
        return settled(choice.config(), self.assumed.selection)

    def ask(self, question: str, choice: Choice) -> tuple[Any, ...]:  # needs, includes or words: see Component.ask
        """Returns what a part needs, gives, includes or hides."""
        return choice.component.ask(question, self.settled(choice), self.assumed.selection)

    def gives(self, choice: Choice) -> set[str]:
        """Returns the words of a part; a coordinate gives `point.NAME`."""
        own = {f"point.{choice.name}"} if choice.table == "coordinate" else set()
        return own | set(self.ask("gives", choice))

    def traits(self, choice: Choice) -> SamplerTraits:
        """Returns what a sampler does."""
        return choice.component.traits_of(self.settled(choice), self.assumed.selection)

    def hides(self, choice: Choice) -> frozenset[str]:
        """Returns the words of the energy that a part takes away."""
        return frozenset(self.ask("hides", choice))

    def objection(self, rule: str, choice: Choice) -> str:
        """Returns what the `skip` or `refuse` of a part says."""
        return choice.component.objection(rule, self.settled(choice), self.assumed.selection)

    def capabilities(self) -> frozenset[str]:
        """Returns every word that the whole gives."""
        rest = (self.gives(choice) for choice in self.of("sampler", "objective", "buffer", "data"))
        return frozenset().union(*rest, self.capabilities_before("wrapper"), self.capabilities_before("coordinate"))

    def capabilities_before(self, table: str, end: Choice | None = None) -> frozenset[str]:
        """Returns the words of the energy and its wrappers, or of the coordinates, up to one of them."""
        words: set[str] = set()
        for choice in [*(self.of("energy") if table == "wrapper" else ()), *self.ordered(table)]:
            if choice is end:
                break
            words = words - self.hides(choice) | self.gives(choice)
        return frozenset(words)

    def unmet(self) -> list[tuple[Need, Choice]]:
        """Returns what is needed and not given, by word; what metrics need is asked of the trained model."""
        words = self.capabilities()
        before = {id(choice): self.capabilities_before(table, choice) for table in CHAINED for choice in self.of(table)}
        found = []
        for choice in self.choices:
            for need in () if choice.table == "metric" else self.ask("needs", choice):
                if self._is_idle(need):
                    continue
                if need.word not in (before[id(choice)] if self.is_chained(need, choice) else words):
                    found.append((need, choice))
        return sorted(found, key=lambda pair: (pair[0].word, pair[1].key))

    def is_chained(self, need: Need, choice: Choice) -> bool:
        """Whether the word must come from before the part: a wrapper finds it inside."""
        return choice.table in CHAINED and need.word.startswith(CHAINED[choice.table])

    def needs_chains(self) -> bool:
        """Whether an objective needs chains of the model."""
        free = self._free()
        return any(
            choice.component.needs_negatives(settled(choice.config(), free), free) for choice in self.of("objective")
        )

    def _is_idle(self, need: Need) -> bool:
        """Whether it asks something of a sampler or buffer, where nothing is to be moved or kept."""
        asks_sampler = need.word.startswith(("sampler.", "moves."))
        idle = (asks_sampler and not self.of("sampler")) or need.word.startswith("buffer.")
        return idle and not self.assumed.chains

    def includes(self) -> list[tuple[Include, Choice]]:
        """Returns what comes along and with whom, by name; no sampler and no buffer where nothing needs chains."""
        found = [
            (include, choice)
            for choice in self.choices
            for include in self.ask("includes", choice)
            if self.assumed.chains or include.kind not in OF_CHAINS
        ]
        return sorted(found, key=lambda pair: (pair[0].kind, pair[0].name, pair[1].key))

    # --- what comes out of a pass

    def found(self) -> Assumed:
        """Returns what a pass that ended here should have assumed."""
        grants = {} if self.recipe.resolved else self._grants()
        return Assumed(selection=self.selection(), chains=self.needs_chains(), grants=grants)

    def temperature(self) -> tuple[float, str]:
        """Returns the temperature that the chosen parts mean, and where it comes from."""
        free = self._free()
        samplers = [(choice.name, choice.config()) for choice in self.of("sampler")]
        exact = [choice.name for choice in self.of("sampler") if "sampler.exact" in capabilities_under(free, choice)]
        return decided(self.run.temperature, samplers, exact, free.noised, self.event_shape, chains=self.needs_chains())

    def selection(self) -> Selection:
        """Returns what the chosen parts would let rules know."""
        free = replace(self._free(), temperature=self.temperature()[0])
        return replace(free, capabilities=frozenset().union(*(capabilities_under(free, c) for c in self.of("sampler"))))

    def _grants(self) -> dict[Key, dict[str, tuple[Any, str]]]:
        grants: dict[Key, dict[str, tuple[Any, str]]] = {}
        free = {(choice.key, name) for choice in self.choices for name in choice.fields - set(choice.given)}
        for include, by in self.includes():
            key = table_of(include.kind), include.name
            for name, value in as_toml(include.config).items():
                first, who = grants.setdefault(key, {}).setdefault(name, (value, by.name))
                if first != value and (key, name) in free:
                    self.problem(
                        f"{who} and {by.name} want different settings of {include.kind} {include.name}: "
                        f"{name} = {first!r} and {value!r}. Decide with --set {'.'.join(key)}.{name}=…"
                    )
        return grants

    def _take(self, table: str, parts: tuple[Part, ...]) -> None:
        reason = ""
        discrete = any("data.discrete" in capabilities_under(Selection(), data) for data in self.of("data"))
        if not parts and not self.recipe.resolved and (name := default_part(table, self.has_vectors, discrete)):
            parts, reason = (Part(name),), BY_DEFAULT
        if table in SINGLES and len(parts) > 1:
            raise RecipeError(f"A recipe has one [{table}], found {', '.join(part.use for part in parts)}.")
        for index, part in enumerate(parts):
            component = declaration_of(kind_of(table), part, self.host)
            if table != "sampler" and any(choice.name == part.use for choice in self.of(table)):
                raise RecipeError(f"{table} '{part.use}' is named twice: one is enough.")
            choice = Choice(table, component, {}, index, reason, built=part.built)
            choice.given = {**part.settings, **settings_for(self.overrides, choice)}
            self.choices.append(choice)

    def _grant_assumed(self, choice: Choice) -> None:
        if self.has_vectors:
            scale = None if self.assumed.selection.noised else self.scale
            choice.grant(settings_of_part(choice.key, choice.fields, scale, self.run.batch_size), WHY)
        for name, (value, by) in self.assumed.grants.get(choice.key, {}).items():
            choice.grant({name: value}, f"{by} asks for it")

    def _capabilities(self, choice: Choice) -> Capabilities:
        needs = frozenset(need.word for need in self.ask("needs", choice))
        return Capabilities(needs=needs, gives=frozenset(self.gives(choice)), hides=self.hides(choice))

    def _free(self) -> Selection:
        """Returns what rules may know before samplers and temperature are."""
        names = tuple(sorted(choice.name for choice in self.of("coordinate")))
        bare = Selection(coordinates=names, event_shape=self.event_shape, resolved=self.recipe.resolved)
        given = {choice.name: capabilities_under(bare, choice) for choice in self.of("coordinate")}
        noised = tuple(name for name in names if "point.noised" in given[name])
        return replace(bare, noised=noised, discrete=tuple(name for name in names if "point.discrete" in given[name]))
