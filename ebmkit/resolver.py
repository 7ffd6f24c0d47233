"""Turns what a user named into a complete recipe, whatever the order in which it was named, and says what was added and why.

Coordinates come first, because they settle the temperature; then parts that others include; then providers of what is
still needed; then the order of wrappers. What cannot be met is refused before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ebmkit.components import Component, Include, Need, Selection
from ebmkit.errors import CapabilityError, RecipeError, did_you_mean
from ebmkit.plugins import Host
from ebmkit.recipe import KIND_OF, LISTS, SINGLES, TABLES, OptimConfig, Part, Recipe, settings_of, validated

DEFAULTS = {"data": "fashion-mini", "energy": "resnet", "buffer": "replay", "sampler": "sgld", "objective": "cd"}
PROVIDER = {
    "energy": "wrapper",
    "point": "coordinate",
    "sampler": "sampler",
    "moves": "sampler",
    "objective": "objective",
}


@dataclass(frozen=True, slots=True)
class Resolution:
    """A complete recipe and one line for everything that was added or left out."""

    recipe: Recipe
    notes: tuple[str, ...]


def resolve(recipe: Recipe, host: Host, event_shape: tuple[int, ...] | None = None) -> Resolution:
    """Returns the complete recipe.

    Args:
        recipe: what was asked; one marked `resolved` is only checked.
        host: where declarations come from.
        event_shape: of the data, where it is known already.

    Raises:
        RecipeError: an unknown name or setting.
        CapabilityError: a need that nothing chosen meets, two parts that disagree, or a part that cannot work here.
    """
    assumed: tuple[str, ...] = ()
    while True:
        draft = _Draft(recipe, host, event_shape, assumed)
        if not recipe.resolved:
            draft.complete()
        found = tuple(sorted(c.name for c in draft.of("coordinate")))
        if recipe.resolved or found == assumed or not set(found) - set(assumed):
            return draft.finish()
        assumed = found  # a coordinate that came late may change the temperature, and so what is included


@dataclass(slots=True)
class _Choice:
    table: str
    component: Component
    given: dict[str, Any]
    index: int | None = None
    reason: str = ""
    granted: dict[str, Any] = field(default_factory=dict)
    granted_by: str = ""

    @property
    def name(self) -> str:
        return self.component.name

    @property
    def settings(self) -> frozenset[str]:
        return frozenset(f.name for f in fields(self.component.config))


class _Draft:
    """The choices of one pass, and the questions that the passes ask of them."""

    def __init__(self, recipe: Recipe, host: Host, event_shape: tuple[int, ...] | None, coordinates: tuple[str, ...]):
        self.recipe, self.host, self.event_shape = recipe, host, event_shape
        self.notes: list[str] = []
        self.choices: list[_Choice] = []
        for table in (*SINGLES, *LISTS):
            for index, part in enumerate(recipe.parts.get(table, ())):
                self._ask(table, part, index)
            if not recipe.resolved and table in DEFAULTS and not recipe.parts.get(table):
                self._ask(table, Part(DEFAULTS[table]), None, "the default")
        for name in coordinates:
            if not any(c.name == name for c in self.of("coordinate")):
                self._add("coordinate", name, {}, "needed")
        self.run = recipe.with_table("run", **self._table_overrides("run")).table("run")

    # --- questions

    def of(self, *tables: str) -> list[_Choice]:
        return [c for c in self.choices if c.table in tables]

    def config(self, choice: _Choice) -> Any:
        settings = {**choice.granted, **choice.given, **dict(self._overrides_of(choice))}
        return validated(choice.component.config, settings, _where(choice))

    def temperature(self) -> float:
        if self.run.temperature is not None:
            return float(self.run.temperature)
        configs = [self.config(c) for c in self.of("sampler")]
        fixed = {t for c in configs if (t := getattr(c, "implied_temperature", None)) is not None}
        if len(fixed) > 1:
            raise CapabilityError(
                f"The samplers run at different temperatures ({', '.join(f'{t:g}' for t in sorted(fixed))}), but a run "
                "has one. Make their step sizes and noises agree, or set run.temperature."
            )
        if fixed:
            return fixed.pop()
        if {"sampler.exact"} & self._sampler_words(1.0) or "level" in self._coordinates():
            return 1.0
        usual = [t for c in configs if (t := getattr(c, "usual_temperature", None)) is not None]
        return usual[0] if usual else 1.0

    def selection(self) -> Selection:
        temperature = self.temperature()
        return Selection(
            words=self._sampler_words(temperature),
            temperature=temperature,
            coordinates=self._coordinates(),
            event_shape=self.event_shape,
        )

    def words(self, selection: Selection) -> frozenset[str]:
        words: set[str] = set()
        for choice in [*self.of("energy"), *self._ordered("wrapper", selection)]:
            words -= set(choice.component.hides)
            words |= set(self._answers(choice, "gives", selection))
        for choice in self.of("coordinate"):
            words |= {f"point.{choice.name}", *self._answers(choice, "gives", selection)}
        for choice in self.of("sampler", "objective", "buffer", "data"):
            words |= set(self._answers(choice, "gives", selection))
        return frozenset(words)

    def unmet(self, selection: Selection) -> list[tuple[Need, _Choice]]:
        words = self.words(selection)
        needs = [(n, c) for c in self.choices for n in self._answers(c, "needs", selection) if n.word not in words]
        return sorted(needs, key=lambda pair: (pair[0].word, pair[1].table, pair[1].name))

    # --- completion

    def complete(self) -> None:
        while self._provide("point.") or self._include() or self._grant() or self._provide(""):
            pass

    def _include(self) -> bool:
        selection = self.selection()
        pairs = [(i, c) for c in self.choices for i in self._answers(c, "includes", selection)]
        for include, by in sorted(pairs, key=lambda p: (p[0].kind, p[0].name, p[1].name)):
            present = [c for c in self.of(_table_of(include.kind)) if c.name == include.name]
            if present:
                if self._merge(present[0], include, by):
                    return True
            elif self._admit(include, by, selection):
                return True
        return False

    def _admit(self, include: Include, by: _Choice, selection: Selection) -> bool:
        component = self.host.get(include.kind, include.name)
        config = validated(component.config, include.config, f"[{include.kind}.{include.name}]")
        for rule in (component.skip, component.refuse):
            reason = rule(config, selection) if rule else ""
            if reason:
                self._note(f"{include.kind} {include.name} not added (for {by.name}): {reason}")
                return False
        why = f"{by.name} includes it" + (f": {include.reason}" if include.reason else "")
        self._add(_table_of(include.kind), include.name, dict(include.config), why, before=include.before, by=by.name)
        return True

    def _merge(self, choice: _Choice, include: Include, by: _Choice) -> bool:
        wanted = {k: v for k, v in include.config.items() if k not in choice.given}
        clash = [k for k, v in wanted.items() if choice.granted.get(k, v) != v]
        if clash:
            raise CapabilityError(
                f"{choice.granted_by} and {by.name} want different settings of {choice.table} {choice.name}: "
                f"{clash[0]} = {choice.granted[clash[0]]!r} and {wanted[clash[0]]!r}. "
                f"Decide with --set {choice.table}.{choice.name}.{clash[0]}=…"
            )
        if all(k in choice.granted for k in wanted):
            return False
        choice.granted.update(wanted)
        choice.granted_by = by.name
        return True

    def _grant(self) -> bool:
        selection = self.selection()
        for need, by in self.unmet(selection):
            for choice in self.choices:
                if need.config and self._would_give(choice, need, selection):
                    choice.granted.update(need.config)
                    choice.granted_by = by.name
                    settings = ", ".join(f"{k} = {v!r}" for k, v in need.config.items())
                    self._note(f"{choice.table} {choice.name}: {settings} ({by.name} needs {need.word})")
                    return True
        return False

    def _would_give(self, choice: _Choice, need: Need, selection: Selection) -> bool:
        if not set(need.config) <= choice.settings:
            return False
        given = {**choice.given, **dict(self._overrides_of(choice))}
        if any(given.get(k, v) != v or choice.granted.get(k, v) != v for k, v in need.config.items()):
            return False
        config = validated(choice.component.config, {**choice.granted, **given, **need.config}, _where(choice))
        return need.word in choice.component.ask("gives", config, selection)

    def _provide(self, prefix: str) -> bool:
        unmet = [(n, c) for n, c in self.unmet(self.selection()) if n.word.startswith(prefix) and n.default]
        for need, by in unmet:
            others = {n.default for n, _ in unmet if n.word == need.word} - {need.default}
            if others:
                raise CapabilityError(
                    f"{need.word} is needed, and its providers are disputed: {by.name} would take {need.default}, "
                    f"another {', '.join(sorted(map(str, others)))}. Name one yourself."
                )
            table = _table_of(PROVIDER.get(need.word.split(".")[0], "wrapper"))
            if any(c.name == need.default for c in self.of(table)):
                continue
            self._add(table, str(need.default), dict(need.config), f"{by.name} needs {need.word}", by=by.name)
            return True
        return False

    # --- the result

    def finish(self) -> Resolution:
        selection = self.selection()
        self._check(selection)
        parts: dict[str, tuple[Part, ...]] = {}
        for table in (*SINGLES, *LISTS):
            ordered = self._ordered(table, selection)
            parts[table] = tuple(Part(c.name, settings_of(self._settled(c, selection))) for c in ordered)
        self._check_overrides()
        tables = {
            name: settings_of(self.recipe.with_table(name, **self._table_overrides(name)).table(name))
            for name in TABLES
        }
        tables["run"]["temperature"] = selection.temperature
        recipe = Recipe(parts=parts, tables=tables, optim=self._optim(), resolved=True)
        return Resolution(recipe, tuple(self.notes))

    def _settled(self, choice: _Choice, selection: Selection) -> Any:
        config = self.config(choice)
        return config.settled(selection) if hasattr(config, "settled") else config

    def _check(self, selection: Selection) -> None:
        for table in SINGLES:
            if len(self.of(table)) != 1:
                raise RecipeError(f"A recipe has one [{table}], found {len(self.of(table))}.")
        for choice in self.choices:
            reason = choice.component.refuse(self.config(choice), selection) if choice.component.refuse else ""
            if reason:
                raise CapabilityError(f"{choice.table} {choice.name} cannot be used here: {reason}")
        unmet = self.unmet(selection)
        if unmet:
            need, by = unmet[0]
            have = sorted(w for w in self.words(selection) if w.split(".")[0] == need.word.split(".")[0])
            raise CapabilityError(
                f"{by.table} {by.name} needs {need.word}; found: {', '.join(have) or 'nothing of the kind'}. "
                f"{self._advice(need)}"
            )

    def _advice(self, need: Need) -> str:
        givers = [c for c, _ in self.host.all() if not callable(c.gives) and need.word in c.gives]
        if need.word.startswith("point."):
            return f"Add --coordinate {need.word.removeprefix('point.')}."
        if need.config:
            return f"Set {', '.join(f'{k} = {v!r}' for k, v in need.config.items())} on a part that has it."
        return "Add " + (" or ".join(f"{c.kind} {c.name}" for c in givers) or "a part that gives it") + "."

    def _optim(self) -> dict[str, dict[str, Any]]:
        owners = {"energy": dict(self.of("energy")[0].component.optim)}
        owners |= {c.name: dict(c.component.optim) for c in self.of("objective") if c.component.optim}
        asked = {k: dict(v) for k, v in self.recipe.optim.items()}
        for path, value in self.recipe.overrides:
            table, *rest = path.split(".")
            if table == "optim":
                if len(rest) != 2:
                    raise RecipeError(f"--set {path}: write optim.OWNER.setting, as in optim.energy.lr=2e-4.")
                asked.setdefault(rest[0], {})[rest[1]] = value
        may_own = {"energy", *(c.name for c in self.of("objective"))}
        for owner in asked:
            if owner not in may_own:
                raise RecipeError(
                    f"[optim.{owner}]: no such part owns parameters.{did_you_mean(owner, may_own)} "
                    f"Owners can be: {', '.join(sorted(may_own))}."
                )
        merged = {
            owner: {**owners.get(owner, {}), **asked.get(owner, {})} for owner in [*owners, *(set(asked) - set(owners))]
        }
        return {o: settings_of(validated(OptimConfig, merged[o], f"[optim.{o}]")) for o in sorted(merged)}

    # --- choices

    def _ask(self, table: str, part: Part, index: int | None, reason: str = "") -> None:
        component = self.host.get(_kind_of(table), part.use)
        if table != "sampler" and any(c.name == part.use for c in self.of(table)):
            raise RecipeError(f"{table} '{part.use}' is named twice: one is enough.")
        self.choices.append(_Choice(table, component, dict(part.settings), index, reason))

    def _add(self, table: str, name: str, config: dict[str, Any], reason: str, *, before: str | None = None, by: str = "") -> None:  # fmt: skip
        choice = _Choice(table, self.host.get(_kind_of(table), name), {}, None, reason, config, by)
        place = len(self.choices)
        if before is not None:
            selection = self.selection()
            for i, other in enumerate(self.choices):
                if other.table == table and before in (other.name, *self._answers(other, "gives", selection)):
                    place = i
                    break
        self.choices.insert(place, choice)
        self._note(f"added {_kind_of(table)} {name} ({reason})")

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)

    def _answers(self, choice: _Choice, question: str, selection: Selection) -> tuple[Any, ...]:
        return choice.component.ask(question, self.config(choice), selection)

    def _coordinates(self) -> tuple[str, ...]:
        return tuple(sorted(c.name for c in self.of("coordinate")))

    def _sampler_words(self, temperature: float) -> frozenset[str]:
        before = Selection(temperature=temperature, coordinates=self._coordinates(), event_shape=self.event_shape)
        return frozenset(w for c in self.of("sampler") for w in self._answers(c, "gives", before))

    def _ordered(self, table: str, selection: Selection) -> list[_Choice]:
        if table == "objective":
            return sorted(self.of(table), key=lambda c: c.name)
        if table not in ("wrapper", "coordinate") or self.recipe.resolved:
            return self.of(table)
        return list(_topological(self.of(table), lambda c, q: self._answers(c, q, selection)))

    def _overrides_of(self, choice: _Choice) -> Iterator[tuple[str, Any]]:
        for path, value in self.recipe.overrides:
            table, *rest = path.split(".")
            if table != choice.table:
                continue
            bare = len(rest) == 1 and (table in SINGLES or rest[0] in choice.settings)
            if bare or (len(rest) == 2 and rest[0] in (choice.name, str(choice.index))):
                yield rest[-1], value

    def _table_overrides(self, name: str) -> dict[str, Any]:
        pairs = [(path.split("."), value) for path, value in self.recipe.overrides]
        return {segments[1]: value for segments, value in pairs if segments[0] == name and len(segments) == 2}

    def _check_overrides(self) -> None:
        known = [*SINGLES, *LISTS, *TABLES, "optim"]
        for path, _ in self.recipe.overrides:
            table, *rest = path.split(".")
            if table not in known:
                raise RecipeError(f"--set {path}: there is no table '{table}'.{did_you_mean(table, known)}")
            if len(rest) != 1 and table in TABLES:
                raise RecipeError(f"--set {path}: write {table}.setting=value.")
            if table not in LISTS:
                continue
            hits = [c for c in self.of(table) if any(True for p, _ in self._hits(c, path))]
            if len(hits) != 1:
                raise RecipeError(f"--set {path}: {self._which(table, rest, hits)}")

    def _hits(self, choice: _Choice, path: str) -> Iterator[tuple[str, Any]]:
        rest = path.split(".")[1:]
        if (len(rest) == 1 and rest[0] in choice.settings) or (len(rest) == 2 and rest[0] in (choice.name, str(choice.index))):  # fmt: skip
            yield path, None

    def _which(self, table: str, rest: list[str], hits: list[_Choice]) -> str:
        if hits:
            return f"several parts have it: write {' or '.join(f'{table}.{c.name}.{rest[-1]}' for c in hits)}."
        settings = sorted({f"{c.name}.{s}" for c in self.of(table) for s in c.settings})
        plain = [s.split(".", 1)[1] for s in settings]
        return (
            f"no {table} of this run has it.{did_you_mean(rest[-1], plain)} Settings: {', '.join(settings) or 'none'}."
        )


def _topological(choices: list[_Choice], answers: Any) -> Iterable[_Choice]:
    """Returns choices with the giver of a word before the one that needs it; ties by name."""
    gives = {c.name: {f"point.{c.name}", *answers(c, "gives")} for c in choices}
    graph = {
        c.name: {o.name for o in choices if o is not c and any(n.word in gives[o.name] for n in answers(c, "needs"))}
        for c in choices
    }
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        raise CapabilityError(f"These parts need each other in a circle: {', '.join(error.args[1])}.") from error
    by_name = {c.name: c for c in choices}
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        sorter.done(*ready)
        yield from (by_name[name] for name in ready)


def _kind_of(table: str) -> str:
    return KIND_OF.get(table, table)


def _table_of(kind: str) -> str:
    return "data" if kind == "dataset" else kind


def _where(choice: _Choice) -> str:
    return f"[{choice.table}] {choice.name}" if choice.table in SINGLES else f"[[{choice.table}]] {choice.name}"
