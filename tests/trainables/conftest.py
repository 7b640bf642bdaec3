from __future__ import annotations

import resource
from contextlib import contextmanager

import pytest
import torch
from pytorch_fid import inception as blocks
from torch import nn
from torchvision.models import inception_v3

from trainables.extractors.inception import prepare_inception
from trainables.files import sha256_of
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
    return path, sha256_of(path)


@pytest.fixture(scope="session")
def inception_cache(inception_weights, tmp_path_factory):
    """A cache in which these weights have been prepared; treat it as read-only."""
    folder = tmp_path_factory.mktemp("inception")
    prepare_inception(folder, *inception_weights)
    return folder


@pytest.fixture
def full_disk():
    """A context in which no file may grow beyond a kilobyte; pytest's own output counts too."""

    @contextmanager
    def full():
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return full


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
