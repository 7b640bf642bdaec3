from __future__ import annotations

import pytest
import torch

from trainables.data.degradations import TASKS
from trainables.errors import InputError
from trainables.methods.discriminator_only import DiscriminatorOnly, DiscriminatorOnlyConfig
from trainables.methods.discriminator_only_restoration import (
    DiscriminatorOnlyRestoration,
    DiscriminatorOnlyRestorationConfig,
)
from trainables.testing.data import tiny_images

CPU = torch.device("cpu")


def build(**settings):
    return DiscriminatorOnlyRestoration(DiscriminatorOnlyRestorationConfig.tiny(**settings), tiny_images(), CPU)


@pytest.fixture
def degraded():
    images = torch.rand(4, *tiny_images().shape, generator=torch.Generator().manual_seed(2)) * 2 - 1
    return TASKS["noise0.1"](images, torch.Generator().manual_seed(3))


def test_it_trains_as_the_method_that_generates():
    plain = DiscriminatorOnly(DiscriminatorOnlyConfig.tiny(), tiny_images(), CPU)
    restoring = build()
    assert [plain.train_round() for _ in range(2)] == [restoring.train_round() for _ in range(2)]


def test_images_are_restored_independently(degraded):
    method = build(restore_updates=10)
    method.train_round()
    together = method.restore(degraded)
    alone = torch.cat([method.restore(image[None]) for image in degraded])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_the_objective_falls_and_weights_stay(degraded):
    """With a large weight of the data, the restored image explains the input; without updates, it is the input."""
    before = {name: value.clone() for name, value in build().discriminator.state_dict().items()}
    method = build(task="x2", lambda_data=100.0, restore_updates=300, lambda_tv=0.0)
    small = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(1)) - 0.5
    restored = method.restore(small)
    assert (TASKS["x2"].operator(restored) - small).abs().max() < 0.02
    assert all(torch.equal(value, before[name]) for name, value in method.discriminator.state_dict().items())
    torch.testing.assert_close(build(restore_updates=0).restore(degraded), degraded.clamp(-1, 1))


def test_images_that_cannot_be_degraded_are_refused():
    with pytest.raises(InputError, match="covers images"):
        build(task="hole")
