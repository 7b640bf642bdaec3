from __future__ import annotations

import io

import pytest
import torch
from torch import nn

from trainables.errors import InputError
from trainables.methods.base import Method, MethodConfig, method_class, seeded_networks, sub_seed
from trainables.methods.gan import Gan
from trainables.testing.data import tiny_images
from trainables.testing.states import META, AnyGenerator

CPU = torch.device("cpu")


class Everything(Method):
    """Has each kind of state that a method may declare."""

    Config = MethodConfig
    state = ("network", "optimizer", "schedule", "latents", "kept", "on_device", "best", "curve", "names")

    def __init__(self, config, dataset, device):
        super().__init__(config, dataset, device)
        with seeded_networks(config.seed):
            self.network = nn.Linear(2, 2).to(device)
        self.latents = nn.Parameter(torch.randn(3, generator=self.rng, device=device))
        self.optimizer = torch.optim.Adam([*self.network.parameters(), self.latents], lr=0.1)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, 1, 0.5)
        self.kept = torch.empty(0, dtype=torch.uint8)
        self.on_device = torch.empty(0, device=device)
        self.best = None
        self.curve = []
        self.names = {}

    def train_round(self):
        self.optimizer.zero_grad()
        x = torch.randn(4, 2, generator=self.rng, device=self.device)
        loss = self.network(x).square().sum() + self.latents.square().sum()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.kept = torch.cat([self.kept, torch.ones(1, dtype=torch.uint8)])
        self.on_device = torch.cat([self.on_device, x[0]])
        self.best = loss.item()
        self.curve.append(self.best)
        self.names["last"] = len(self.curve)
        return {"loss": self.best}

    def networks(self):
        return {"network": self.network}


def make(seed=0, device=CPU, cls=Everything):
    return cls(MethodConfig(seed=seed), tiny_images(), device)


def saved(method):
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_every_kind_of_state_goes_on_bit_for_bit():
    uninterrupted, restored = make(), make(seed=9)
    for _ in range(3):
        uninterrupted.train_round()
    restored.load_state_dict(saved(uninterrupted))
    assert [restored.train_round() for _ in range(3)] == [uninterrupted.train_round() for _ in range(3)]
    assert restored.curve == uninterrupted.curve
    assert restored.names == uninterrupted.names
    assert len(restored.kept) == 6
    assert torch.equal(restored.on_device, uninterrupted.on_device)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
def test_tensors_go_where_they_were_from_the_start(monkeypatch):
    monkeypatch.setattr(torch, "Generator", AnyGenerator)
    trained, method = make(), make(device=META)
    trained.train_round()
    method.load_state_dict(saved(trained))
    assert method.kept.device == CPU
    assert method.kept.tolist() == [1]
    assert method.on_device.device == method.latents.device == META
    moments = method.optimizer.state[method.latents]
    assert moments["exp_avg"].device == META


def test_a_state_on_a_device_leaves_on_the_cpu_what_belongs_there():
    trained, method = make(), make()
    trained.train_round()
    state = saved(trained)
    state["on_device"] = state["on_device"].to(META)
    with pytest.raises(NotImplementedError, match="no data"):  # it is being copied to the CPU
        method.load_state_dict(state)


def test_a_state_that_a_gpu_has_saved_goes_on_with_random_numbers_that_follow_from_it():
    """The state of CUDA's generator has 16 bytes, a CPU's 5,056."""
    trained = make()
    trained.train_round()

    def next_round(last_byte):
        restored = make(seed=9)
        restored.load_state_dict(saved(trained) | {"rng": torch.tensor([7] * 15 + [last_byte], dtype=torch.uint8)})
        assert torch.equal(restored.latents, trained.latents)
        return restored.train_round()

    assert next_round(1) == next_round(1) != next_round(2)


def test_what_an_optimiser_holds_stays_the_same_object():
    trained, method = make(), make(seed=9)
    trained.train_round()
    before = method.latents
    method.load_state_dict(saved(trained))
    assert method.latents is before
    assert torch.equal(method.latents, trained.latents)


class Lazy(Everything):
    def __init__(self, config, dataset, device):
        super().__init__(config, dataset, device)
        self.kept = None

    def train_round(self):
        self.kept = torch.zeros(1)
        return {"loss": 0.0}


def test_a_tensor_that_comes_late_is_refused_since_nobody_knows_its_device():
    trained, method = make(cls=Lazy), make(cls=Lazy)
    trained.train_round()
    with pytest.raises(ValueError, match="'kept' is of type Tensor and the method's of type NoneType"):
        method.load_state_dict(saved(trained))


def test_the_state_of_other_settings_is_refused():
    """As a population does that copies a trial with an averaged generator to one without."""
    averaged, plain = (Gan(Gan.Config.tiny(ema_decay=decay), tiny_images(), CPU) for decay in (0.5, 0.0))
    with pytest.raises(ValueError, match="'averaged' is of type OrderedDict and the method's of type NoneType"):
        plain.load_state_dict(averaged.state_dict())
    with pytest.raises(ValueError, match="'averaged' is of type NoneType and the method's of type AveragedModel"):
        averaged.load_state_dict(plain.state_dict())


def test_sub_seeds_differ_and_stay_what_they_are():
    names = ("networks", "training", "evaluation")
    seeds = [sub_seed(seed, name) for seed in range(1000) for name in names]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert sub_seed(0, "training") == 3325466731


def test_initial_weights_are_not_the_random_numbers_of_training():
    """One stream for both made the first weights of a generator its first latents."""
    method = make(seed=3)
    with seeded_networks(3):
        initial = torch.rand(1000, dtype=torch.float64)
    latents = torch.rand(1000, dtype=torch.float64, generator=Gan(Gan.Config.tiny(seed=3), tiny_images(), CPU).rng)
    assert not torch.isin(initial, latents).any()
    with seeded_networks(3):
        assert torch.equal(nn.Linear(2, 2).weight, method.network.weight)


def test_a_method_is_found_by_its_name_or_where_it_is():
    assert method_class("gan") is Gan
    assert method_class("trainables.methods.gan:Gan") is Gan
    with pytest.raises(InputError, match="unknown method 'gna': did you mean 'gan'"):
        method_class("gna")
    with pytest.raises(InputError, match="not a subclass of Method"):
        method_class("trainables.methods.gan:GanConfig")
