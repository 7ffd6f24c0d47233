"""Whether a built part says of itself what its kind promises."""

from __future__ import annotations

from collections.abc import Mapping

from ebmkit.errors import PluginError

MEMBERS: Mapping[str, Mapping[str, str]] = {
    "coordinate": {
        "name": "its key in Point.aux",
        "noises_x": "True where lifting changes x, so that the value range of the data no longer bounds it, else False",
        "n_values": "how many values it has, None where it is not discrete",
        "leaves_data": "True where some value of it is away from data, as a noise level above 0 is, else False",
    },
    "buffer": {"filled": "how many of its rows hold chains that a sampler has moved"},
    "objective": {
        "requires": "what it asks for, ebmkit.Requires(…)",
        "losses": "the method (energy, phases) that returns its losses by name",
    },
    "observer": {
        "start": "the method (run), called before the first step",
        "step": "the method (report, run), called after each logged step",
        "end": "the method (run, ending), called once at the end",
    },
    "dataset": {
        "event_shape": "the shape of one datum",
        "value_range": "the lowest and the highest value of x, None where it has no bounds",
        "x_values": '"real", or of discrete x "binary" or "one-hot"',
        "n_classes": "how many label values it has, 0 where there are no labels",
        "class_names": "their names, () where they have none",
    },
}
"""What is read of a part of each kind, and what it means."""


def check_members(kind: str, name: str, part: object) -> None:
    """Raises PluginError where a part lacks what is read of its kind: its author is told what, and what it means."""
    for member, meaning in MEMBERS[kind].items():
        if not hasattr(part, member):
            raise PluginError(
                f"{kind} '{name}': {type(part).__name__} has no `{member}` ({meaning}). Every {kind} says it: add it "
                "to the class."
            )
