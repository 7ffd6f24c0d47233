"""`fid`: the Fréchet Inception distance, computed on the weights that define it or not at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.data.arrays import quantise
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.metrics.declarations.features import WEIGHTS, FidConfig, fid_refused
from ebmkit.metrics.fd import check_counts, frechet_measured
from ebmkit.metrics.features.sets import Sets, real_sets
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Measured, Subject

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of that file, which pytorch-fid and torch-fidelity both use: the network of Heusel et al. (2017), converted."""

CHUNK = 50
N_FEATURES = 2048


def inception(path: Path) -> nn.Module:
    """Returns torch-fidelity's Inception-v3 with the weights of a file; nothing is fetched from the network.

    Raises:
        DataError: there is no such file, or it holds other weights.
        CapabilityError: torch-fidelity is not installed.
    """
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"fid: {path} cannot be read ({error.strerror or error}). Give the file {WEIGHTS}.") from error
    if found != SHA256:
        raise DataError(
            f"fid: {path} does not hold the weights that FID is defined on (sha256 {SHA256[:8]}…, found {found[:8]}…). "
            f"Give the file {WEIGHTS}; of another network, use fd, which carries its name."
        )
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Network
    except ImportError as error:
        raise CapabilityError(
            "fid needs torch-fidelity, which is not installed (pip install torch-fidelity). Without it, use fd."
        ) from error
    torch.load(path, map_location="cpu", weights_only=True)  # refuses anything but tensors, whatever the network does
    network: nn.Module = Network("inception-v3-compat", [str(N_FEATURES)], feature_extractor_weights_path=str(path))
    return network.eval()


@torch.no_grad()
def inception_features(network: nn.Module, x: Tensor, value_range: tuple[float, float], device: Any) -> Tensor:
    """Returns the features [B, 2048] of images [B, 1 or 3, H, W], as 8-bit levels; grey ones are repeated to RGB."""
    low, high = value_range
    levels = quantise((x - low) / (high - low))
    levels = levels.expand(-1, 3, -1, -1)
    return torch.cat([network(chunk.to(device))[0].flatten(1).cpu() for chunk in torch.split(levels, CHUNK)])


@dataclass(frozen=True, kw_only=True, slots=True)
class FrechetInceptionDistance:
    """Measures samples against training data, and test images against the same."""

    config: FidConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns "fid", and the distance of test images beside it."""
        value_range = subject.model.data.value_range
        if value_range is None:
            raise DataError("fid is of images of a known range, but these data have none: scale them to [0, 1].")
        network = inception(Path(self.config.weights)).to(subject.model.device)
        check_counts(subject.n, subject.n_data, N_FEATURES)
        samples = subject.samples().x
        reference, real, where, notes = real_sets(subject, len(samples))
        check_counts(len(samples), len(reference), N_FEATURES)
        if real is not None and len(real) <= N_FEATURES:
            real, notes = None, (*notes, f"Too few {where} images for a covariance: no floor.")

        def features(x: Tensor) -> Tensor:
            return inception_features(network, x, value_range, subject.model.device)

        sets = Sets(
            samples=features(samples), reference=features(reference),
            real=None if real is None else features(real), where=where, notes=notes,
        )  # fmt: skip
        if samples.shape[1] == 1:
            subject.note("fid: grey images are repeated to three channels, which Inception-v3 was not made for")
        return frechet_measured(subject, sets, "fid", self.config.bootstrap, "Inception-v3 pool3")


def build_fid(config: FidConfig, context: BuildContext) -> FrechetInceptionDistance:
    """Returns the metric; raises RecipeError where no weights were named."""
    wrong = fid_refused(config, context.selection())
    if wrong:
        raise RecipeError(f"fid: {wrong}")
    return FrechetInceptionDistance(config=config)
