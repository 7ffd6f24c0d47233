"""The parts of later stages, built once before the first step: what cannot work is refused then."""

from __future__ import annotations

from pathlib import Path

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import Complete
from ebmkit.errors import EbmkitError
from ebmkit.processes import World
from ebmkit.recipes.stage import at_stage, stage_name
from ebmkit.runs.log.pictures import Pictures
from ebmkit.runs.watch.judging import Judging


def check_later_stages(made: Complete, directory: Path | None, world: World) -> None:
    """Builds what each stage after the first would train with, and leaves it.

    Raises:
        EbmkitError: what cannot work in a stage, which is named.
    """
    for place in range(1, len(made.recipe.stages)):
        stage = at_stage(made.recipe, place).with_table("run", engine="eager", chunk=0)  # nothing is measured
        try:
            assembly = assemble(stage, dataset=made.dataset, world=world)
            Judging(assembly, None, lambda line: None)
            if directory is not None:
                Pictures(directory, assembly)
        except EbmkitError as error:
            raise type(error)(f"Stage '{stage_name(stage)}': {error}") from error
