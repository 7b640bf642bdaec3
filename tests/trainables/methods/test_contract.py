"""Every method of the registry keeps the contract, and its exported weights are all that it needs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.data.cache import prepare
from trainables.devices import computing_in, return_float32
from trainables.errors import InputError
from trainables.export import export, load_export
from trainables.methods import METHODS
from trainables.methods.base import method_class
from trainables.methods.gan import Gan, GanConfig
from trainables.testing import MethodContract
from trainables.testing.data import tiny_images, tiny_points
from trainables.testing.methods import CPU, train, use_abilities
from trainables.testing.states import META, AnyGenerator, leaves, through_a_file, without_fused_kernels


class UpsamplingConfig(GanConfig):
    @classmethod
    def tiny(cls, **settings):
        networks = dict.fromkeys(("generator", "discriminator"), "dcgan_upsampling_32")
        return super().tiny(**{**networks, "generator_depth": 0, "discriminator_depth": 0, **settings})


class UpsamplingGan(Gan):
    Config = UpsamplingConfig


class TestGanWithDropout(MethodContract):
    """Its networks have random numbers of their own, and images are padded and cropped."""

    method = UpsamplingGan


class AgainstCollapseConfig(GanConfig):
    @classmethod
    def tiny(cls, **settings):
        return super().tiny(**{"minibatch_kernels": 3, "generator_loss": "feature_matching", **settings})


class AgainstCollapseGan(Gan):
    Config = AgainstCollapseConfig


class TestGanAgainstCollapse(MethodContract):
    """Minibatch discrimination mixes the examples of a batch, and scores must not depend on it."""

    method = AgainstCollapseGan


class TestMethods(MethodContract):
    @pytest.fixture(params=sorted(METHODS))
    def method_type(self, request):
        return method_class(request.param)


def made(name, device):
    method_type = method_class(name)
    try:
        return method_type(method_type.Config.tiny(), tiny_images(), device)
    except InputError:
        return method_type(method_type.Config.tiny(), tiny_points(), device)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"inversion"}))  # a search waits for its own end
def test_a_round_on_an_accelerator_waits_for_nothing(name, monkeypatch):
    """`META` has no numbers, and raises where the host asks for one."""
    monkeypatch.setattr(torch, "Generator", AnyGenerator)
    trained, resumed = made(name, CPU), made(name, META)
    train(trained, 2)
    resumed.load_state_dict(through_a_file(trained.state_dict()))
    without_fused_kernels(resumed)
    (metrics,) = train(resumed, 1)
    assert all(value.device == META for value in metrics.values() if isinstance(value, torch.Tensor))
    assert any(isinstance(value, torch.Tensor) for value in metrics.values())


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_trains_in_bfloat16_and_keeps_its_weights_in_float32(name):
    method = made(name, CPU)
    for value in (getattr(method, name) for name in method.state):
        if isinstance(value, nn.Module):
            return_float32(value)
    with computing_in("bf16", CPU):
        metrics = train(method, 2)[-1]
    assert all(isinstance(value, float) for value in metrics.values())
    assert metrics != train(made(name, CPU), 2)[-1]
    tensors = [value for _, value in leaves(method.state_dict()) if isinstance(value, torch.Tensor)]
    assert not any(value.dtype == torch.bfloat16 for value in tensors)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_an_exported_method_does_what_it_did(name, cache_dir, tmp_path):
    """Exported with the seed of other initial weights, so that all that matters has to be in the file."""
    method_type = method_class(name)
    config = method_type.Config.tiny(seed=1)
    try:
        method = method_type(config, prepare("digits", cache_dir), CPU)
    except InputError:
        cache_dir = tmp_path
        method = method_type(config, prepare("spiral", cache_dir), CPU)
    train(method, 2)
    path = tmp_path / "weights.safetensors"
    other_seed = config.model_dump(mode="json") | {"seed": 2}
    export(name, other_seed, method.dataset.name, method, path, 2, {}, "fid_lenet", "minimize")
    loaded = load_export(path, cache_dir, CPU)
    x = torch.rand(5, *method.dataset.shape) * 2 - 1
    expected = use_abilities(method, x, x)
    for ability, made in use_abilities(loaded, x, x).items():
        assert torch.equal(made, expected[ability])
