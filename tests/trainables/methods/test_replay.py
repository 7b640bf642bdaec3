"""What is replayed on a GPU, without one: the update that is captured works in place, and never asks the host."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from trainables.data.degradations import TASKS
from trainables.methods import image_descent
from trainables.methods.image_descent import DescentSettings, _Updates, descend
from trainables.methods.replay import in_place, replayed
from trainables.testing.states import META

STEPS = 60
TARGET = torch.linspace(-2.0, 2.0, 32).view(2, 1, 4, 4)
REACHED_IN_BETWEEN = DescentSettings(lr=0.1, max_updates=STEPS, score_target=-1.0, patience=2, clip=True)


def objective(x):
    errors = (x - TARGET.to(x.device)).flatten(-3).square().sum(-1)
    return errors.sum(-1) + 1.0, -errors


def pixel_terms(x, gradient):
    gradient += 0.2 * x
    return 0.1 * x.square().sum((-4, -3, -2, -1))


def updates_from(start, settings):
    updates = _Updates(start.clone(), objective, settings, pixel_terms, None, waits=False)
    for _ in range(2):  # from then on, all numbers are tensors
        updates.make_one()
    return updates, in_place(updates.make_one, (updates, updates.optimizer))


def tensors(updates):
    of_both = {**vars(updates), **{f"optimizer.{k}": v for k, v in vars(updates.optimizer).items()}}
    return {name: value for name, value in of_both.items() if isinstance(value, torch.Tensor)}


@pytest.mark.parametrize("shape", [(2, 1, 4, 4), (3, 2, 1, 4, 4)], ids=["alone", "members"])
@pytest.mark.parametrize("target", [-12.0, math.inf], ids=["reached", "out of reach"])
def test_an_update_in_place_leads_to_what_descend_leads_to(shape, target):
    settings = DescentSettings(lr=0.1, max_updates=STEPS, score_target=target, patience=2, clip=True)
    start = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = descend(start, objective, settings, pixel_terms, updates_between_checks=STEPS)
    if target == -12.0:
        assert (expected.num_updates < STEPS).all()
    updates, update = updates_from(start, settings)
    for _ in range(STEPS - 2):
        update()
    assert torch.equal(updates.x, expected.images)
    assert torch.equal(updates.loss, expected.loss)
    assert torch.equal(updates.score, expected.mean_score)
    assert torch.equal(updates.number, expected.num_updates)


def test_all_that_changes_is_a_tensor_in_the_same_memory():
    updates, update = updates_from(torch.zeros(2, 1, 4, 4), REACHED_IN_BETWEEN)
    update()
    before = {name: (value.data_ptr(), value.clone()) for name, value in tensors(updates).items()}
    update()
    after = tensors(updates)
    assert {name: value.data_ptr() for name, value in after.items()} == {n: ptr for n, (ptr, _) in before.items()}
    numbers = {"active", "loss", "score", "number", "optimizer.lr", "optimizer._best", "optimizer._bad_updates"}
    assert numbers | {"x", "optimizer._first", "optimizer._second"} <= before.keys()
    for name, (_, value) in before.items():
        if name in {"x", "loss", "score", "number"}:
            assert not torch.equal(after[name], value), name


def test_an_update_on_an_accelerator_asks_the_host_for_nothing():
    """And has no number of the host that changes: in what is replayed it would be a constant."""
    updates, update = updates_from(torch.zeros(2, 1, 4, 4, device=META), REACHED_IN_BETWEEN)

    def of_host():
        holders = (vars(updates), vars(updates.optimizer))
        return [{k: v for k, v in holder.items() if isinstance(v, bool | int | float)} for holder in holders]

    before = of_host()
    for _ in range(3):
        update()
    assert of_host() == before == [{"waits": False}, {}]


def test_an_update_that_fails_while_it_is_captured_leaves_what_there_was():
    updates, _ = updates_from(torch.zeros(2, 1, 4, 4), REACHED_IN_BETWEEN)
    loss = updates.loss

    def failing():
        updates.loss = torch.zeros(())
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError):
        in_place(failing, (updates,))()
    assert updates.loss is loss


class OnMetaAlone(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert all(value.device == META for value in args if isinstance(value, torch.Tensor)), func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("task", TASKS)
def test_a_degradation_is_copied_to_a_device_once(task):
    """Restoration by descent degrades images in every update."""
    images = torch.zeros(2, 1, 16, 16, device=META)
    TASKS[task].operator(images)
    with OnMetaAlone():
        TASKS[task].operator(images)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("error")
def test_a_replayed_descent_equals_an_eager_one(monkeypatch):
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(32, 1)).cuda()
    network.requires_grad_(False)

    def of_network(x):
        scores = network(x).squeeze(1)
        return (1 - scores).relu().mean(), scores

    settings = DescentSettings(lr=0.01, max_updates=100, score_target=math.inf)
    start = torch.randn(16, 1, 4, 4, generator=torch.Generator().manual_seed(0)).cuda()
    made = [descend(start, of_network, settings, pixel_terms) for _ in range(3)]
    monkeypatch.setattr(image_descent, "replayed", lambda update: update)
    eager = descend(start, of_network, settings, pixel_terms)
    for descent in made:
        assert torch.equal(descent.images, eager.images)
        assert torch.equal(descent.loss, eager.loss)
        assert torch.equal(descent.num_updates, eager.num_updates)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_what_cannot_be_captured_goes_on_as_it_is():
    x = torch.zeros((), device="cuda")

    def waits():
        x.add_(1)
        x.item()

    with pytest.warns(UserWarning, match="cannot be replayed as a CUDA graph"):
        update = replayed(waits)
    update()
    assert x.item() == 1
