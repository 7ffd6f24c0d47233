"""Converts the ResNet-20 of CIFAR-10 by Yerlan Idelbayev (BSD licence) to safetensors: the features `resnet20`.

python examples/convert_resnet20.py resnet20-12fca82f.th --root DIR --out resnet20-cifar10.safetensors

The checkpoint is that of github.com/akamaster/pytorch_resnet_cifar10; its pickle is read for tensors alone. DIR holds
CIFAR-10, on whose 10,000 test images the accuracy is measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

import ebmkit
from ebmkit.data.arrays import quantise
from ebmkit.data.cifar import CLASS_NAMES
from ebmkit.metrics.features.extractors import of_weights

LICENCE = "BSD 2-Clause, Copyright (c) 2018, Yerlan Idelbayev (the notice lies beside the weights)"


@torch.no_grad()
def accuracy(network: torch.nn.Module, root: str) -> float:
    """Returns the share of right classes on the test images, as levels / 255, the way the network was trained."""
    test = ebmkit.build("dataset", "cifar10", root=root, split="test")
    held = test.batch(torch.arange(len(test)), ebmkit.stream(0, 0, "accuracy"))
    x = quantise(held.x).float() / 255.0
    found = torch.cat([network(chunk)[1].argmax(dim=1) for chunk in torch.split(x, 500)])
    return float((found == held.y).float().mean())


def main(arguments: Sequence[str] | None = None) -> float:
    """Reads, measures, writes; returns the test accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--root", required=True, help="folder of CIFAR-10")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    network = of_weights(options.checkpoint).network
    right = accuracy(network, options.root)
    about = {
        "architecture": "resnet20",
        "classes": json.dumps(CLASS_NAMES),
        "source": "50,000 training images of CIFAR-10, by github.com/akamaster/pytorch_resnet_cifar10 "
        f"({options.checkpoint.name}); test accuracy {right:.4f}",
        "licence": LICENCE,
    }
    tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file({key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")},
              options.out, metadata=about)  # fmt: skip
    print(f"test accuracy {right:.2%}; {options.out}, {options.out.stat().st_size / 1e6:.2f} MB")
    return right


if __name__ == "__main__":
    main()
