from __future__ import annotations

import hashlib

import pytest
import torch
from pytorch_fid import inception as blocks
from torch import nn
from torchvision.models import inception_v3

from trainables.measures.settings import DetectionSettings, FidelitySettings, PixelsSettings
from trainables.protocol import Protocol


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory):
    """A file like pytorch-fid's, of random weights that keep the signal's size through the layers; and its checksum."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = inception_v3(weights=None, init_weights=False, aux_logits=False, num_classes=1008)
        network.Mixed_5b = blocks.FIDInceptionA(192, pool_features=32)
        network.Mixed_5c = blocks.FIDInceptionA(256, pool_features=64)
        network.Mixed_5d = blocks.FIDInceptionA(288, pool_features=64)
        network.Mixed_6b = blocks.FIDInceptionC(768, channels_7x7=128)
        network.Mixed_6c = blocks.FIDInceptionC(768, channels_7x7=160)
        network.Mixed_6d = blocks.FIDInceptionC(768, channels_7x7=160)
        network.Mixed_6e = blocks.FIDInceptionC(768, channels_7x7=192)
        network.Mixed_7b = blocks.FIDInceptionE_1(1280)
        network.Mixed_7c = blocks.FIDInceptionE_2(2048)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(network.state_dict(), path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def of_images():
    """Makes the protocol of a data set of images, with all measures of images."""

    def protocol(dataset, ood_sets=(), num_samples=64, **fidelity):
        measures = (
            FidelitySettings(num_samples=num_samples, **fidelity),
            PixelsSettings(num_samples=num_samples),
            DetectionSettings(ood_sets=ood_sets),
        )
        return Protocol(dataset=dataset, measures=measures)

    return protocol
