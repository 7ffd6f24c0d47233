"""Initial weights, drawn from one seed a part."""

from __future__ import annotations

from torch import nn


def init_linear(module: nn.Module, std: float = 0.01) -> None:
    """Draws every Linear weight of a module from N(0, std²), in place, and sets its bias to zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_conv(module: nn.Module) -> None:
    """Draws every Conv2d weight of a module by Kaiming's fan-in rule with linear gain, in place; zero bias."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="linear")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
