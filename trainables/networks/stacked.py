"""The networks of several members as one network, whose layers hold the weights of all.

Inside, what linear layers take is `(K, features, B)`, and what convolutions take is `(B, K * channels, H, W)`: so
BatchNorm over all channels is that of each member, a convolution has a group for each member, and no tensor is copied
between two layers of a kind.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from trainables.networks.class_energy import ClassEnergyDiscriminator
from trainables.networks.layers import ResidualBlock
from trainables.networks.mlp import MlpDiscriminator, MlpGenerator
from trainables.networks.residual import ImageDiscriminator, ImageGenerator, PointDiscriminator, PointGenerator


class NotStackableError(TypeError):
    """A network has a part that cannot be stacked."""


class StackedNetwork(nn.Module):
    """Examples `(K, B, ...)` to outputs `(K, B, ...)`: the part of each member is as its own network makes it."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.number = len(networks)
        self.network = _stacked(networks)
        self.train(networks[0].training)

    def forward(self, x: Tensor) -> Any:
        return self._left(self.network(self._entered(x)))

    def features(self, x: Tensor) -> Tensor:
        """As the networks' own `features`: `(K, B, d)`."""
        features: Any = self.network.features
        return self._left(features(self._entered(x)))

    def _entered(self, x: Tensor) -> Tensor:
        return x.transpose(0, 1).flatten(1, 2) if x.dim() == 5 else x.transpose(1, 2)

    def _left(self, made: Any) -> Any:
        if isinstance(made, tuple):
            return tuple(map(self._left, made))
        if made.dim() == 4:
            return made.unflatten(1, (self.number, -1)).transpose(0, 1)
        return made.transpose(1, 2) if made.dim() == 3 else made


def stacked(networks: Sequence[nn.Module]) -> nn.Module:
    """One network of `networks`, which are built alike. Its parameters and buffers are in the order of theirs.

    Each is of a member after the other: `value.view(K, *shape)` are the members' own. Counters are one for all. Raises
    `NotStackableError`.
    """
    first = networks[0]
    if isinstance(first, AveragedModel):
        average = _copied(first, {"module": StackedNetwork([network.get_submodule("module") for network in networks])})
        average._buffers = {name: value.clone() for name, value in first._buffers.items() if value is not None}
        return average
    return StackedNetwork(networks)


class _Linear(nn.Module):
    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = _joined([layer.weight for layer in layers])
        self.bias = None if layers[0].bias is None else _joined([layer.bias.unsqueeze(1) for layer in layers])

    def forward(self, x: Tensor) -> Tensor:
        return torch.bmm(self.weight, x) if self.bias is None else torch.baddbmm(self.bias, self.weight, x)


class _BatchNorm1d(nn.BatchNorm1d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1).unsqueeze(0)).view_as(x)


class _Flatten(nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def forward(self, x: Tensor) -> Tensor:
        return x if x.dim() == 3 else x.unflatten(1, (self.number, -1)).flatten(2).permute(1, 2, 0)


class _Scores(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.squeeze(1)


class _Unflatten(nn.Module):
    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        if len(self.shape) == 1:
            return x
        return x.permute(2, 0, 1).unflatten(2, self.shape).flatten(1, 2)


def _joined(values: Sequence[Tensor]) -> nn.Parameter:
    """The parameters of all members `(K, ...)`."""
    return nn.Parameter(torch.stack([value.detach() for value in values]), values[0].requires_grad)


def _with_more_channels(layers: Sequence[Any]) -> Any:
    """A layer over the channels of all members: all its tensors are joined along their first axis."""
    layer = _copied(layers[0], {})
    for name, value in layers[0]._parameters.items():
        if value is not None:
            joined = _joined([getattr(each, name) for each in layers])
            layer._parameters[name] = nn.Parameter(joined.detach().flatten(0, 1), value.requires_grad)
    for name, value in layers[0]._buffers.items():
        if value is not None:
            of_all = [getattr(each, name) for each in layers]
            layer._buffers[name] = torch.cat(of_all) if value.dim() else value.clone()
    return layer


def _convolution(layers: Sequence[Any]) -> nn.Module:
    if layers[0].groups != 1 or layers[0].padding_mode != "zeros":
        raise NotStackableError(f"the layer {layers[0]} cannot be stacked")
    layer = _with_more_channels(layers)
    layer.groups = len(layers)
    layer.in_channels, layer.out_channels = (len(layers) * n for n in (layer.in_channels, layer.out_channels))
    return layer


def _batch_norm(layers: Sequence[Any]) -> nn.Module:
    layer = _with_more_channels(layers)
    layer.num_features *= len(layers)
    if isinstance(layer, nn.BatchNorm1d):
        layer.__class__ = _BatchNorm1d
    return layer


def _flatten(layers: Sequence[Any]) -> nn.Module:
    return _Scores() if layers[0].start_dim == 0 else _Flatten(len(layers))


def _unchanged(layers: Sequence[nn.Module]) -> nn.Module:
    return _copied(layers[0], {})


LAYERS: dict[type[nn.Module], Callable[[Sequence[Any]], nn.Module]] = {
    nn.Linear: _Linear,
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Flatten: _flatten,
    nn.Unflatten: lambda layers: _Unflatten(layers[0].unflattened_size),
    **dict.fromkeys((nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Identity), _unchanged),
}
"""How the layers of all members become one."""

COMPOSED = (
    nn.Sequential,
    ResidualBlock,
    PointGenerator,
    PointDiscriminator,
    ImageGenerator,
    ImageDiscriminator,
    MlpGenerator,
    MlpDiscriminator,
    ClassEnergyDiscriminator,
)
"""Modules that do nothing but call their parts, so that they may stay as they are when their parts are stacked."""


def _stacked(modules: Sequence[nn.Module]) -> nn.Module:
    first = modules[0]
    if type(first) in LAYERS:
        return LAYERS[type(first)](modules)
    if type(first) not in COMPOSED:
        raise NotStackableError(f"a {type(first).__name__} cannot be stacked")
    names = list(first._modules)
    return _copied(first, {name: _stacked([module.get_submodule(name) for module in modules]) for name in names})


def _copied(module: nn.Module, parts: dict[str, nn.Module]) -> Any:
    """A shallow copy of `module` with other parts, whose tables of tensors can be changed."""
    copied = copy.copy(module)
    copied._parameters, copied._buffers, copied._modules = {}, {}, {}
    copied._parameters |= module._parameters
    copied._buffers |= module._buffers
    copied._modules |= parts
    return copied
