"""Weight-normalised linear layers, with initial values from data (Salimans and Kingma 2016, arXiv:1602.07868)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations


def weight_normed_linear(inputs: int, outputs: int, learned_scale: bool) -> nn.Linear:
    """A linear layer with `W = g v / ||v||` for each output, `v` of `N(0, 0.1)`, `g = 1` and a bias of 0."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, 0.0, 0.1)
    nn.init.zeros_(layer.bias)
    parametrizations.weight_norm(layer)
    nn.init.ones_(_scale(layer)).requires_grad_(learned_scale)
    return layer


@torch.no_grad()
def standardise_outputs(layer: nn.Linear, inputs: Tensor) -> Tensor:
    """Set the scales and the biases so that each output has mean 0 and deviation 1 on `inputs`; return the outputs.

    Outputs that are the same for all inputs keep their scale.
    """
    outputs = nn.functional.linear(inputs, layer.weight)
    mean, deviation = outputs.mean(0), outputs.std(0, correction=0)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    _scale(layer).div_(deviation.unsqueeze(1))
    layer.bias.copy_(-mean / deviation)
    return (outputs - mean) / deviation


def _scale(layer: nn.Linear) -> nn.Parameter:
    """The scales `g` `(outputs, 1)`."""
    return layer.get_parameter("parametrizations.weight.original0")
