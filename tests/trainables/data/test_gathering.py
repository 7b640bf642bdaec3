from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.data import gathering
from trainables.data.batches import EpochSampler
from trainables.data.gathering import examples_at, labels_at
from trainables.data.tensors import to_tensor
from trainables.testing.data import tiny_images, tiny_points
from trainables.testing.states import META, MetaGenerator

CPU = torch.device("cpu")
INDICES = torch.tensor([[3, 0], [59, 3]])


@pytest.mark.parametrize("split", [tiny_images().train, tiny_points().train])
def test_examples_and_labels_are_those_at_the_indices(split):
    assert torch.equal(examples_at(split, INDICES, CPU), to_tensor(split.examples[INDICES.numpy()]))
    assert labels_at(split, INDICES, CPU).tolist() == split.labels[INDICES.numpy()].tolist()


@pytest.mark.parametrize("split", [tiny_images().train, tiny_points().train])
def test_an_accelerator_gathers_what_it_keeps_by_indices_that_are_there(split):
    indices = EpochSampler(60, 8, MetaGenerator()).next()
    assert indices.device == META
    for _ in range(2):
        made = examples_at(split, indices, META)
        assert (made.device, made.dtype, made.shape) == (META, torch.float32, (8, *split.examples.shape[1:]))
        assert labels_at(split, indices, META).shape == (8,)
    kept = gathering._kept(split, META)
    assert kept[0].dtype == torch.from_numpy(split.examples[:1]).dtype
    assert gathering._kept(split, META) is kept


def test_all_examples_are_kept_in_their_order(monkeypatch):
    """The CPU has the part of an accelerator, as a device that is not asked for its memory."""
    monkeypatch.setattr(gathering, "COPIED_AT_ONCE", 7)
    split = tiny_images().train
    examples, labels = gathering._all(split, CPU)
    assert np.array_equal(examples.numpy(), split.examples)
    assert np.array_equal(labels.numpy(), split.labels)


def test_what_does_not_fit_is_copied_batch_by_batch(monkeypatch):
    monkeypatch.setattr(gathering, "_fits", lambda size, device: False)
    split = tiny_images().train
    assert examples_at(split, INDICES, META).shape == (2, 2, 1, 8, 8)
    assert labels_at(split, INDICES, META).device == META


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("split", [tiny_images().train, tiny_points().train])
def test_a_gpu_makes_the_same_floats(split):
    made = examples_at(split, INDICES.cuda(), torch.device("cuda"))
    assert torch.equal(made.cpu(), examples_at(split, INDICES, CPU))
