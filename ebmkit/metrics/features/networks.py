"""The two classifiers whose features carry a name: small networks, one for grey and one for colour images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CIFAR_MEAN = (0.485, 0.456, 0.406)
CIFAR_STD = (0.229, 0.224, 0.225)


class GarmentsNet(nn.Module):
    """Five convolutions for grey 28×28 images in [0, 1]; 64 features are the last maps' means.

    One halving by max-pooling after the first, one after the third: 13 million multiplications an image, so that ten
    thousand images take seconds on one core. The weights that ship find the class of 92.09 % of the 10,000 test images
    of Fashion-MNIST; `examples/train_classifier.py` trained them, on the training images alone.
    """

    input_shape = (1, 28, 28)
    n_features = 64

    def __init__(self, n_classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(1, 24), nn.MaxPool2d(2),
            _convolution(24, 48), _convolution(48, 64), nn.MaxPool2d(2),
            _convolution(64, 96), _convolution(96, self.n_features),
        )  # fmt: skip
        self.linear = nn.Linear(self.n_features, n_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features [B, 64] and logits [B, K] of x [B, 1, 28, 28] in [0, 1]."""
        features = self.body(x.contiguous(memory_format=torch.channels_last)).mean(dim=(2, 3))
        return features, self.linear(features)


class ResNet20(nn.Module):
    """The residual network with 20 layers for colour 32×32 images in [0, 1]; 64 features are the last maps' means.

    Source: He, Zhang, Ren, Sun (2016), Deep residual learning for image recognition, section 4.2, with the shortcuts
    of option A: every second pixel, and channels of zeros on both sides. The weights that ship are those of Yerlan
    Idelbayev (BSD licence, `weights/RESNET20_LICENSE`), by `examples/convert_resnet20.py`; they find the class of
    91.73 % of the 10,000 test images of CIFAR-10.
    """

    input_shape = (3, 32, 32)
    n_features = 64
    mean: Tensor
    std: Tensor

    def __init__(self, n_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16)
        self.layer2 = _stage(16, 32)
        self.layer3 = _stage(32, self.n_features)
        self.linear = nn.Linear(self.n_features, n_classes)
        self.register_buffer("mean", torch.tensor(CIFAR_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(CIFAR_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features [B, 64] and logits [B, K] of x [B, 3, 32, 32] in [0, 1]."""
        x = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        maps = self.layer3(self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(x))))))
        features = maps.mean(dim=(2, 3))
        return features, self.linear(features)


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut without weights."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.stride = 1 if n_in == n_out else 2
        self.added = (n_out - n_in) // 2
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the maps [B, n_out, h, w] of maps x."""
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        short = x[:, :, :: self.stride, :: self.stride]
        return functional.relu(y + functional.pad(short, (0, 0, 0, 0, self.added, self.added)))


def _stage(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock(n_in, n_out), ResidualBlock(n_out, n_out), ResidualBlock(n_out, n_out))


def _convolution(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU())


NETWORKS: dict[str, type[GarmentsNet] | type[ResNet20]] = {"garments": GarmentsNet, "resnet20": ResNet20}
"""Architectures by name, as the metadata of a file of weights give it."""
