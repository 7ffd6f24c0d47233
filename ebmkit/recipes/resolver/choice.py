"""A chosen part: who chose it, and what was set on it by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ebmkit.plugins.component import Component, Selection
from ebmkit.recipes.recipe import SINGLES
from ebmkit.recipes.settings import as_toml, validated

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BY_DEFAULT = "no other was chosen"

Key = tuple[str, str]  # (table, name)


@runtime_checkable
class Settling(Protocol):
    """A config that can decide what was left unset."""

    def settled(self, selection: Selection) -> DataclassInstance:
        """Returns the config with every unset value decided."""
        ...


@dataclass(eq=False, slots=True)
class Choice:
    """One chosen part.

    Attributes:
        table: where it stands in a recipe.
        component: its declaration.
        given: settings of the user.
        index: place among the named parts of its table; None where it was added.
        reason: why it was added, "" where it was named.
        set_by_need: settings that other parts ask for; the user's beat them.
        set_by_need_of: setting → why.
        built: the part itself, where a program handed it over.
    """

    table: str
    component: Component
    given: dict[str, object]
    index: int | None = None
    reason: str = ""
    set_by_need: dict[str, object] = field(default_factory=dict)
    set_by_need_of: dict[str, str] = field(default_factory=dict)
    built: Any = None
    _config: DataclassInstance | None = None

    @property
    def name(self) -> str:
        """Of its component."""
        return self.component.name

    @property
    def key(self) -> Key:
        """Table and name."""
        return self.table, self.name

    @property
    def fields(self) -> frozenset[str]:
        """Names of its settings."""
        return frozenset(f.name for f in fields(self.component.config))

    @property
    def settings(self) -> dict[str, object]:
        """What was set on it, by whomever."""
        return as_toml({**self.set_by_need, **self.given})

    def grant(self, settings: Mapping[str, object], why: str) -> None:
        """Sets what another part asks for."""
        self.set_by_need.update(settings)
        self.set_by_need_of.update(dict.fromkeys(settings, why))
        self._config = None

    def config(self, **more: object) -> DataclassInstance:
        """Returns its config as validated, with some settings changed."""
        if more or self._config is None:
            where = f"[{self.table}] {self.name}" if self.table in SINGLES else f"[[{self.table}]] {self.name}"
            config: DataclassInstance = validated(self.component.config, {**self.settings, **more}, where)
            if more:
                return config
            self._config = config
        return self._config

    def would_give(self, word: str, settings: Mapping[str, object], selection: Selection) -> bool:
        """Whether it gives a word once some settings are changed."""
        if not settings or not set(settings) <= self.fields:
            return False
        return word in self.component.ask("gives", settled(self.config(**settings), selection), selection)

    def __str__(self) -> str:
        return f"{self.component.kind} {self.name}"


def settled(config: DataclassInstance, selection: Selection) -> DataclassInstance:
    """Returns a config with every unset value decided, where it can decide them."""
    return config.settled(selection) if isinstance(config, Settling) else config


def capabilities_under(selection: Selection, choice: Choice) -> frozenset[str]:
    """Returns the words that a part gives under a selection."""
    return frozenset(choice.component.ask("gives", settled(choice.config(), selection), selection))
