from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.data.dataset import Dataset
from trainables.data.points import POINT_SETS
from trainables.errors import InputError
from trainables.methods.discriminator_only_points import DiscriminatorOnlyPoints

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def spiral():
    train, test = POINT_SETS["spiral"].splits()
    return Dataset("spiral", train, test, None)


def make(dataset, **config):
    return DiscriminatorOnlyPoints(DiscriminatorOnlyPoints.Config(**config), dataset, CPU)


def test_after_the_initial_training_the_accuracy_is_the_published_one(spiral):
    accuracies = [make(spiral, seed=seed, updates=1).train_round()["initial_accuracy"] for seed in range(3)]
    assert np.mean(accuracies) == pytest.approx(0.84, abs=0.03)


def test_the_initial_accuracy_is_that_after_the_initial_training_and_stays(spiral):
    """Measured again with many uniform points."""
    method, trained = make(spiral), make(spiral)
    trained._initial_training()
    uniform = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(8)) * 2 - 1
    right = (trained.score(trained.real) > 0).float().mean() + (trained.score(uniform) < 0).float().mean()
    reported = [method.train_round()["initial_accuracy"] for _ in range(3)]
    assert reported[0] == pytest.approx(right.item() / 2, abs=0.03)
    assert len(set(reported)) == 1
    assert "initial_accuracy" not in make(spiral, initial_epochs=0).train_round()


def test_a_finished_trial_keeps_no_pool(spiral):
    method = make(spiral, initial_epochs=1)
    method.train_round()
    method.finish()
    assert len(method.pool) == len(method.state_dict()["pool"]) == 0


def test_the_discriminator_has_three_linear_layers_with_tanh_between(spiral):
    layers = [type(layer).__name__ for layer in make(spiral).discriminator]
    assert layers == ["Linear", "Tanh", "Linear", "Tanh", "Linear", "Flatten"]


def test_a_round_moves_75_points_to_higher_probability_inside_the_square(spiral):
    method = make(spiral)
    method.train_round()
    method.optimizer.param_groups[0]["lr"] = 0.0
    method.train_round()
    before, after = method.moved()
    assert before.shape == after.shape == (75, 2)
    assert before.abs().max() <= 1
    assert after.abs().max() <= 1
    assert method.score(after).mean() > method.score(before).mean() + 0.1
    assert torch.equal(method.pool.images[75:], after)


def test_samples_are_inside_the_square(spiral):
    method = make(spiral, updates=100)
    method.train_round()
    assert method.sample(200, torch.Generator().manual_seed(0)).abs().max() <= 1


def test_the_loss_and_the_gradient_norm_are_the_formulas(spiral):
    """By hand: with one hidden layer's worth of numpy, finite differences for the norm."""
    method = make(spiral, initial_epochs=0, lambda_gnorm=2.0, batch_size=400, fake_batches=1)
    weights = [p.detach().double().numpy().copy() for p in method.discriminator.parameters()]

    def probability(x):
        h = np.tanh(x @ weights[0].T + weights[1])
        h = np.tanh(h @ weights[2].T + weights[3])
        return 1 / (1 + np.exp(-(h @ weights[4].T + weights[5])[:, 0]))

    metrics = method.train_round()
    real = spiral.train.examples.astype(np.float64)  # a batch is the whole set
    step = 1e-5
    gradient = [(probability(real + step * axis) - probability(real - step * axis)) / (2 * step) for axis in np.eye(2)]
    norm = np.hypot(*gradient).mean()
    assert metrics["gradient_norm"] == pytest.approx(norm, rel=1e-3)
    assert metrics["loss_discriminator"] == pytest.approx(metrics["loss_classifier"] + 2 * norm, rel=1e-4)
    fakes = method.moved()[1].double().numpy()
    part = -np.log(probability(real)).mean()
    # The pool is drawn from with replacement: its part is compared within its spread.
    assert metrics["loss_classifier"] - part == pytest.approx(-np.log(1 - probability(fakes)).mean(), abs=0.02)


def test_images_are_refused(tiny_dataset):
    with pytest.raises(InputError, match="for points, and 'tiny' has images"):
        make(tiny_dataset)
