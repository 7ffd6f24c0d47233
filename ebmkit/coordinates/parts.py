"""What core's coordinates are called and can be given."""

from ebmkit.components import Component, Need

COMPONENTS = (
    Component(
        kind="coordinate",
        name="label",
        build="ebmkit.coordinates.label:build_label",
        summary="class label, stored beside each chain",
        needs=(Need("energy.labels", config={"labels": True}),),
    ),
    Component(
        kind="coordinate",
        name="momentum",
        build="ebmkit.coordinates.momentum:build_momentum",
        summary="momentum of an underdamped sampler, stored beside each chain",
    ),
)
