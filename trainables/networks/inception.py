"""Inception v3 for the Frechet Inception Distance: pytorch-fid's blocks, and the fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NUM_CLASSES = 1008
SIZE = 299


class FidInception(nn.Module):
    """The network of 2015-12-05, ported by pytorch-fid, in evaluation mode; weights are loaded, never initialised.

    `weights` are the content of pytorch-fid's file. pytorch-fid and torchvision are imported here, because they take
    70 MB that other trials do not need. pytorch-fid's own constructor would download the weights.
    """

    def __init__(self, weights: Mapping[str, Any]) -> None:
        from pytorch_fid import inception as blocks
        from torchvision.models import inception_v3

        super().__init__()
        with torch.device("meta"):
            network = inception_v3(weights=None, init_weights=False, aux_logits=False, num_classes=NUM_CLASSES)
            network.Mixed_5b = blocks.FIDInceptionA(192, pool_features=32)
            network.Mixed_5c = blocks.FIDInceptionA(256, pool_features=64)
            network.Mixed_5d = blocks.FIDInceptionA(288, pool_features=64)
            network.Mixed_6b = blocks.FIDInceptionC(768, channels_7x7=128)
            network.Mixed_6c = blocks.FIDInceptionC(768, channels_7x7=160)
            network.Mixed_6d = blocks.FIDInceptionC(768, channels_7x7=160)
            network.Mixed_6e = blocks.FIDInceptionC(768, channels_7x7=192)
            network.Mixed_7b = blocks.FIDInceptionE_1(1280)
            network.Mixed_7c = blocks.FIDInceptionE_2(2048)
        network.load_state_dict(weights, assign=True)
        self.fully_connected = network.fc
        network.fc = nn.Identity()
        self.network = network
        self.eval().requires_grad_(False)

    def features(self, x: Tensor) -> Tensor:
        """Pooled features `(n, 2048)` of RGB images `(n, 3, H, W)` in [0, 1], resized as pytorch-fid does."""
        resized = F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        return self.network(2 * resized - 1)

    def logits(self, features: Tensor) -> Tensor:
        """Logits `(n, 1008)` without the bias, as in the first implementation of the Inception Score."""
        return features @ self.fully_connected.weight.T
