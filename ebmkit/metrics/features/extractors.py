"""Where features come from: what ships, files of weights, exported programs, and modules of the user's."""

from __future__ import annotations

import importlib
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ebmkit.data.cifar import CLASS_NAMES as CIFAR_NAMES
from ebmkit.errors import DataError, RecipeError, did_you_mean
from ebmkit.metrics.features.networks import NETWORKS
from ebmkit.ops.programs import read_program
from ebmkit.rng import seeded

Answer = tuple[Tensor, Tensor | None]
Network = nn.Module
SHIPPED = {"garments": "garments.safetensors", "resnet20": "resnet20-cifar10.safetensors"}
ABOUT = "features.json"
"""Extra file of an exported program that says what it wants: {"input_range": [0, 1], "classes": [...]}."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extractor:
    """A network, and what it wants.

    Attributes:
        name: printed with every number.
        network: x [B, C, H, W] in `input_range` → features [B, D], or (features, logits [B, K]).
        input_shape: of one image, None where it takes any.
        input_range: (lowest, highest) value of a pixel that it was made for.
        classes: names of the K classes, perhaps empty.
        source: where it comes from, and its licence.
    """

    name: str
    network: Network
    input_shape: tuple[int, ...] | None
    input_range: tuple[float, float] = (0.0, 1.0)
    classes: tuple[str, ...] = ()
    source: str = ""

    def answer(self, x: Tensor) -> Answer:
        """Returns features [B, D] in float32, and logits [B, K] or None, of x in `input_range`."""
        found = self.network(x)
        features, logits = found if isinstance(found, (tuple, list)) else (found, None)
        return features.float(), None if logits is None else logits.float()


def find_extractor(asked: str) -> Extractor:
    """Returns the extractor of a name, file or "package.module:callable"; raises RecipeError where there is none."""
    if asked in SHIPPED:
        with as_file(files("ebmkit.metrics.features") / "weights" / SHIPPED[asked]) as path:
            return of_weights(path, name=asked)
    suffix = Path(asked).suffix
    if suffix == ".pt2":
        return of_program(Path(asked))
    if suffix in (".safetensors", ".pt", ".pth", ".th"):
        return of_weights(Path(asked))
    if ":" in asked:
        return of_callable(asked)
    raise RecipeError(
        f"There are no features '{asked}'.{did_you_mean(asked, SHIPPED)} Known: {', '.join(SHIPPED)}, a file "
        "(.safetensors, .pt, .pth, .pt2), or package.module:callable, which returns a module."
    )


# --- weights of a known architecture


def of_weights(path: Path, name: str = "") -> Extractor:
    """Returns the extractor of a file of weights, safetensors or a plain state dict; nothing is unpickled from it.

    Raises:
        DataError: the file is missing, damaged, or of neither architecture.
    """
    tensors, about = (_safetensors if path.suffix == ".safetensors" else _state_dict)(path)
    architecture = about.get("architecture") or ("resnet20" if "layer1.0.conv1.weight" in tensors else "garments")
    if architecture not in NETWORKS or "linear.bias" not in tensors:
        known = ", ".join(NETWORKS)
        raise DataError(f"{path} holds weights of '{architecture}', or of no classifier. Known architectures: {known}.")
    with seeded(0):  # the weights come from the file; the global stream is left alone
        network = NETWORKS[architecture](n_classes=len(tensors["linear.bias"]))
    try:
        wrong = network.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as error:
        raise DataError(f"{path} does not fit the architecture '{architecture}': {error}") from error
    missing = [key for key in wrong.missing_keys if not key.endswith("num_batches_tracked")]
    if missing or wrong.unexpected_keys:
        raise DataError(
            f"{path} does not fit the architecture '{architecture}': missing {missing[:3]}, unknown "
            f"{wrong.unexpected_keys[:3]}."
        )
    usual = CIFAR_NAMES if architecture == "resnet20" and network.linear.out_features == 10 else ()
    return Extractor(
        name=name or path.stem, network=network.eval(), input_shape=network.input_shape,
        classes=tuple(json.loads(about["classes"])) if "classes" in about else usual,
        source=f"{about.get('source', str(path))}. {about.get('licence', '')}".strip(),
    )  # fmt: skip


def _safetensors(path: Path) -> tuple[Mapping[str, Tensor], Mapping[str, str]]:
    try:
        with safe_open(path, framework="pt") as held:
            return {key: held.get_tensor(key) for key in held.keys()}, held.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read as safetensors: {error}.") from error


def _state_dict(path: Path) -> tuple[Mapping[str, Tensor], Mapping[str, str]]:
    """Returns the tensors of a checkpoint of torch, whose keys may begin with "module."."""
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} cannot be read as a checkpoint of weights alone: {error}") from error
    held = held.get("state_dict", held) if isinstance(held, Mapping) else {}
    return {str(key).removeprefix("module."): value for key, value in held.items() if isinstance(value, Tensor)}, {}


# --- networks of the user's


def of_program(path: Path) -> Extractor:
    """Returns the extractor of an exported program; what it wants may stand in its extra file `features.json`.

    Raises:
        DataError: the file is missing, holds pickled objects, or is no program of one image input.
    """
    program, extra = read_program(path, ABOUT)
    places = [node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs]
    shapes = [tuple(node.meta["val"].shape) for node in places if isinstance(node.meta.get("val"), Tensor)]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise DataError(f"{path} should take one tensor of images [B, C, H, W]; it takes {len(shapes)} tensors.")
    sides = shapes[0][1:]
    about = json.loads(extra.get(ABOUT, "{}"))
    low, high = about.get("input_range", (0.0, 1.0))
    return Extractor(
        name=path.stem, network=program.module(),
        input_shape=tuple(int(side) for side in sides) if all(isinstance(side, int) for side in sides) else None,
        input_range=(float(low), float(high)), classes=tuple(about.get("classes", ())),
        source=about.get("source", f"the exported program {path}, pixels in [{low:g}, {high:g}]"),
    )  # fmt: skip


def of_callable(asked: str) -> Extractor:
    """Returns the extractor that "package.module:callable" builds: a module, which may have `input_shape` and so on.

    Raises:
        RecipeError: it cannot be imported, or returns no module.
    """
    module, _, name = asked.partition(":")
    try:
        make: Callable[[], Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"The features '{asked}' cannot be imported: {error}.") from error
    network = make()
    if not isinstance(network, nn.Module):
        raise RecipeError(f"The features '{asked}' should return a torch module, found {type(network).__name__}.")
    low, high = getattr(network, "input_range", (0.0, 1.0))
    shape = getattr(network, "input_shape", None)
    return Extractor(
        name=name, network=network.eval(), input_shape=None if shape is None else tuple(shape),
        input_range=(float(low), float(high)), classes=tuple(getattr(network, "classes", ())),
        source=f"{asked}, pixels in [{low:g}, {high:g}]",
    )  # fmt: skip
