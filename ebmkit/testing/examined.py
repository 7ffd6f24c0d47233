"""A declared part that is put to the test: how it is built where a check wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ebmkit.assembly.build import build_component
from ebmkit.errors import CapabilityError
from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.testing.check import NotApplicable


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """A declaration, and settings under which its part is looked at.

    Attributes:
        component: the declaration.
        settings: of the part; unset, its defaults.
    """

    component: Component
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.component.kind.capitalize()} '{self.component.name}'"

    @property
    def setting_names(self) -> frozenset[str]:
        """Names of its settings."""
        return frozenset(f.name for f in fields(self.component.config))

    @property
    def traits(self) -> SamplerTraits:
        """Of a sampler: what it does, as far as that is known before there are coordinates."""
        config, selection = self.component.config(**self.settings), Selection()
        settled = config.settled(selection) if hasattr(config, "settled") else config
        return self.component.traits_of(settled, selection)

    def default(self, name: str) -> Any:
        """Returns what a setting is without being set."""
        return self.settings.get(name, getattr(self.component.config(**self.settings), name, None))

    def built(self, context: BuildContext, **settings: object) -> Any:
        """Builds the part; settings that it does not have are left out, and those of the test's author win.

        Raises:
            NotApplicable: it cannot work in this context, as it says itself.
        """
        known = {name: value for name, value in settings.items() if name in self.setting_names}
        wanted = {**known, **self.settings}
        try:
            return build_component(self.component, wanted, context)
        except CapabilityError as error:
            raise NotApplicable(_first(str(error))) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """A law that every part of a kind must keep.

    Attributes:
        name: of the check, "rows".
        text: what is promised, one sentence.
        look: raises where a part does not keep it.
    """

    name: str
    text: str
    look: Callable[[Examined], None]


def _first(text: str) -> str:
    return text.split(". ")[0].rstrip(".")
