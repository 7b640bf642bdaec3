"""EpochSampler against permutations drawn by hand, and resumed from saved states."""

from __future__ import annotations

import copy
import io

import pytest
import torch

from trainables.data.batches import EpochSampler, EpochSamplers

LENGTHS_AND_BATCH_SIZES = [(10, 3), (10, 5), (10, 10), (3, 7), (3, 9), (1, 1), (1, 4)]


def sampler_with_seed(length, batch_size, seed=0):
    return EpochSampler(length, batch_size, torch.Generator().manual_seed(seed))


def draw(sampler, num_batches):
    return torch.stack([sampler.next() for _ in range(num_batches)])


@pytest.mark.parametrize(("length", "batch_size"), LENGTHS_AND_BATCH_SIZES)
def test_every_epoch_holds_every_index_once(length, batch_size):
    epochs = draw(sampler_with_seed(length, batch_size), 4 * length).reshape(-1, length)
    assert torch.equal(epochs.sort(dim=1).values, torch.arange(length).expand_as(epochs))


@pytest.mark.parametrize(("length", "batch_size"), LENGTHS_AND_BATCH_SIZES)
def test_batches_are_full_and_int64(length, batch_size):
    sampler = sampler_with_seed(length, batch_size)
    for _ in range(10):
        batch = sampler.next()
        assert batch.shape == (batch_size,)
        assert batch.dtype == torch.int64


def test_batches_are_the_generators_permutations_in_a_row():
    rng = torch.Generator().manual_seed(3)
    expected = torch.cat([torch.randperm(10, generator=rng) for _ in range(3)])
    assert torch.equal(draw(sampler_with_seed(10, 6, seed=3), 5).flatten(), expected)


def test_epochs_are_shuffled_anew():
    first, second = draw(sampler_with_seed(100, 100), 2)
    assert not torch.equal(first, second)


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    draw(sampler_with_seed(10, 3), 8)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("batches_before", [0, 1, 3, 5, 10])
def test_resumed_with_the_generators_state_the_same_batches_follow(batches_before):
    rng = torch.Generator().manual_seed(0)
    sampler = EpochSampler(10, 4, rng)
    for _ in range(batches_before):
        sampler.next()
    file = io.BytesIO()
    torch.save({"sampler": sampler.state_dict(), "rng": rng.get_state()}, file)
    expected = draw(sampler, 20)

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other_rng = torch.Generator().manual_seed(99)
    resumed = EpochSampler(10, 4, other_rng)
    resumed.next()
    resumed.load_state_dict(saved["sampler"])
    other_rng.set_state(saved["rng"])
    assert torch.equal(draw(resumed, 20), expected)


def test_resumed_without_the_generators_state_only_the_epoch_is_finished():
    sampler = sampler_with_seed(100, 10)
    draw(sampler, 4)
    resumed = sampler_with_seed(100, 10, seed=99)
    resumed.load_state_dict(sampler.state_dict())
    assert torch.equal(draw(resumed, 6), draw(sampler, 6))
    assert not torch.equal(draw(resumed, 10), draw(sampler, 10))


def test_a_state_is_not_changed_by_later_batches():
    sampler = sampler_with_seed(10, 4)
    sampler.next()
    state = sampler.state_dict()
    permutation, position = state["permutation"].clone(), state["position"]
    sampler.next().zero_()
    draw(sampler, 5)
    assert torch.equal(state["permutation"], permutation)
    assert state["position"] == position


def test_the_state_of_another_length_is_refused():
    sampler = sampler_with_seed(10, 4)
    sampler.next()
    with pytest.raises(ValueError, match="10 examples, not of 11"):
        sampler_with_seed(11, 4).load_state_dict(sampler.state_dict())


@pytest.mark.parametrize(("length", "batch_size"), [(0, 1), (1, 0), (-1, 1)])
def test_nothing_to_draw_is_refused(length, batch_size):
    with pytest.raises(ValueError, match="must be positive"):
        sampler_with_seed(length, batch_size)


def test_several_samplers_have_epochs_of_their_own():
    samplers = EpochSamplers(3, 6, 2, torch.Generator().manual_seed(0))
    epochs = torch.stack([samplers.next() for _ in range(3)], dim=1).reshape(3, 6)
    assert torch.equal(epochs.sort(dim=1).values, torch.arange(6).expand(3, 6))
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 3


def test_several_samplers_go_on_where_they_were_stopped():
    rng = torch.Generator().manual_seed(0)
    samplers = EpochSamplers(2, 7, 3, rng)
    draw(samplers, 3)
    state, rng_state = copy.deepcopy(samplers.state_dict()), rng.get_state()
    expected = draw(samplers, 4)
    other_rng = torch.Generator()
    other_rng.set_state(rng_state)
    restored = EpochSamplers(2, 7, 3, other_rng)
    restored.load_state_dict(state)
    assert torch.equal(draw(restored, 4), expected)
    with pytest.raises(ValueError, match="of 2 samplers, not of 3"):
        EpochSamplers(3, 7, 3, rng).load_state_dict(state)
