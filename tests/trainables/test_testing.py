"""The contract tests themselves: a method with all abilities passes them, and each kind of fault is found."""

from __future__ import annotations

import inspect
from functools import partial

import pytest
import torch
from torch import nn

from trainables.methods.abilities import ChoosesSamples, Classifies, Moves, Reconstructs, Restores, Samples, Scores
from trainables.methods.base import Method, MethodConfig, seeded_networks
from trainables.testing import MethodContract
from trainables.testing.data import tiny_images
from trainables.testing.methods import CPU, new_rng, use_abilities

ABILITIES = (Samples, ChoosesSamples, Scores, Classifies, Restores, Reconstructs, Moves)


class Autoencoder(Method):
    """One linear layer each way. It has every ability, most of them poorly."""

    Config = MethodConfig
    state = ("encoder", "decoder", "optimizer", "last")

    def __init__(self, config, dataset, device):
        super().__init__(config, dataset, device)
        size = dataset.train.examples[0].size
        with seeded_networks(config.seed):
            self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, 3)).to(device)
            self.decoder = nn.Sequential(nn.Linear(3, size), nn.Tanh(), nn.Unflatten(1, dataset.shape)).to(device)
        weights = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
        self.last = torch.empty(2, 0, *dataset.shape, device=device)

    def train_round(self):
        x = torch.rand(8, *self.dataset.shape, generator=self.rng).to(self.device) * 2 - 1
        made = self.decoder(self.encoder(x))
        loss = (made - x).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.last = torch.stack([x, made.detach()])
        return {"loss": loss.item()}

    def networks(self):
        return {"encoder": self.encoder, "decoder": self.decoder}

    @torch.no_grad()
    def sample(self, n, rng):
        return self.decoder(torch.randn(n, 3, generator=rng).to(self.device))

    def samples_to_evaluate(self, n, rng):
        return torch.cat([self.last[1], self.sample(n, rng)])[:n]

    def score(self, x):
        return -(self.reconstruct(x) - x.to(self.device)).flatten(1).square().sum(1)

    @torch.no_grad()
    def classify(self, x):
        return self.encoder(x.to(self.device)).softmax(1)

    def restore(self, degraded):
        return self.reconstruct(degraded)

    @torch.no_grad()
    def reconstruct(self, x):
        return self.decoder(self.encoder(x.to(self.device)))

    def moved(self):
        return tuple(self.last)


class TestAMethodWithEveryAbility(MethodContract):
    method = Autoencoder

    def test_it_has_them_all(self):
        assert all(issubclass(Autoencoder, ability) for ability in ABILITIES)


class ForgetsItsMomentum(Autoencoder):
    state = ("encoder", "decoder", "last")


class KeepsItsPicturesWithWeightsOnTheCpu(Autoencoder):
    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.last = state["last"]


class MixesDevices(Autoencoder):
    def train_round(self):
        self.decoder(torch.randn(2, 3, generator=self.rng))
        return super().train_round()


class DrawsFromTheGlobalGenerator(Autoencoder):
    def sample(self, n, rng):
        return super().sample(n, rng) + 1e-6 * torch.rand(1)


class DropsOutWhenItScores(Autoencoder):
    def score(self, x):
        return super().score(x) + torch.arange(len(x))


class NamesHalfOfItsNetworks(Autoencoder):
    def networks(self):
        return {"encoder": self.encoder}


class LearnsWhileItSamples(Autoencoder):
    def sample(self, n, rng):
        self.train_round()
        return super().sample(n, rng)


class HidesAnObjectInItsState(Autoencoder):
    def state_dict(self):
        return super().state_dict() | {"last": self.dataset}


FAULTS = {
    ForgetsItsMomentum: "test_a_restored_run_equals_an_uninterrupted_one_bit_for_bit",
    KeepsItsPicturesWithWeightsOnTheCpu: "test_a_checkpoint_is_put_on_the_devices_that_its_tensors_are_needed_on",
    MixesDevices: "test_no_round_or_ability_mixes_an_accelerator_with_the_cpu",
    DrawsFromTheGlobalGenerator: "test_the_global_generator_is_neither_read_nor_moved",
    DropsOutWhenItScores: "test_a_score_is_one_number_per_example_whatever_the_batch",
    NamesHalfOfItsNetworks: "test_the_weights_and_the_config_are_all_that_the_abilities_need",
    LearnsWhileItSamples: "test_using_a_method_does_not_disturb_its_training",
    HidesAnObjectInItsState: "test_a_state_is_tensors_and_plain_values",
}


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.parametrize(("method", "name"), FAULTS.items())
def test_each_fault_is_found_by_the_test_that_is_there_for_it(method, name):
    dataset, examples = tiny_images(), torch.rand(9, 1, 8, 8, generator=new_rng()) * 2 - 1

    def make(seed=0, dataset=dataset, device=CPU):
        return method(MethodConfig(seed=seed), dataset, device)

    use = partial(use_abilities, examples=examples, degraded=examples)
    given = {"make": make, "use": use, "examples": examples, "dataset": dataset, "before": 2}
    test = getattr(MethodContract(), name)
    with pytest.raises((AssertionError, RuntimeError)):
        test(**{parameter: given[parameter] for parameter in inspect.signature(test).parameters})
