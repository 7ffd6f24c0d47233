"""What is said of parts and settings that will go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ebmkit.recipes.resolver.choice import Choice


def deprecations(choices: Iterable[Choice]) -> Iterator[str]:
    """Yields a line for each chosen part, and for each setting that was set, that its declaration calls deprecated."""
    for choice in choices:
        said = choice.component.deprecated
        if "" in said:
            yield f"{choice} is deprecated: {said['']}"
        yield from (f"{choice}: {name} is deprecated: {said[name]}" for name in choice.given if name in said)
