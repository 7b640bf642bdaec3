"""Training the classifier of the `_lenet` metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.data.dataset import Dataset, Split
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.extractors.base import images_at_once
from trainables.networks.lenet import LeNet

RECIPE = 2
"""Raise it when anything here changes. Classifiers of older recipes are then trained again."""

TARGET_ACCURACY = 0.9809
"""Training ends at this test accuracy ([Yamazaki 2017], appendix B)."""

MAX_UPDATES = 600
MIN_EPOCHS = 5
"""If the target is never reached, training ends with the epoch in which `MAX_UPDATES` is reached, but not
before `MIN_EPOCHS`: after 27 epochs of digits, 10 of mnist5k, 5 of a large data set."""

LEARNING_RATE = 1e-3
BATCH_SIZE = 64
TEST_BATCH_SIZE = 1000


def train_classifier(dataset: Dataset, seed: int) -> tuple[LeNet, float]:
    """Train a `LeNet` on the CPU; return it, with the weights of its best epoch, and its test accuracy.

    Adam minimises the cross-entropy, up to `TARGET_ACCURACY`. On one kind of processor a seed always gives the same
    classifier: training uses one thread, because the order of sums depends on the number of threads. The weights are
    rounded to half precision, in which they are kept. The global random state is left alone.

    Raises `InputError` if the data set has no labels, one class only, or images too small to be pooled.
    """
    if dataset.num_classes is None or dataset.train.labels is None or dataset.test.labels is None:
        raise InputError(
            f"data set {dataset.name!r} has no labels to train the classifier of the lenet metrics (a folder has "
            "labels if each class is a sub-folder): choose another data set, or --features efficientnet."
        )
    if dataset.num_classes < 2:
        raise InputError(
            f"data set {dataset.name!r} has one class only, and the classifier of the lenet metrics needs two: "
            "add a class, choose another data set, or --features efficientnet."
        )
    # Only the CPU's state is forked, so only the CPU may be seeded; `torch.manual_seed` would seed GPUs, too.
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            network = LeNet(dataset.shape, dataset.num_classes)
        except ValueError as error:
            raise InputError(
                f"data set {dataset.name!r} does not suit the classifier of the lenet metrics: {error}"
            ) from error
        return _train(network, dataset, seed)


def _train(network: LeNet, dataset: Dataset, seed: int) -> tuple[LeNet, float]:
    # The default implementation takes a sixth of the time of an update of 3 million parameters.
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    generator = torch.Generator().manual_seed(seed)
    updates_per_epoch = -(-len(dataset.train) // BATCH_SIZE)
    at_once = images_at_once(dataset.shape, BATCH_SIZE)
    best, best_accuracy = network, -1.0
    for _ in range(max(MIN_EPOCHS, -(-MAX_UPDATES // updates_per_epoch))):
        network.train()
        for images, labels in _batches(dataset.train, BATCH_SIZE, generator):
            optimizer.zero_grad()
            for some, their_labels in zip(images.split(at_once), labels.split(at_once), strict=True):
                share = len(some) / len(images)  # what large images need at once is bounded
                (F.cross_entropy(network(some), their_labels) * share).backward()
            optimizer.step()
        rounded = deepcopy(network).half().float().eval()
        accuracy = _accuracy(rounded, dataset.test)
        if accuracy > best_accuracy:
            best, best_accuracy = rounded, accuracy
        if accuracy >= TARGET_ACCURACY:
            break
    return best, best_accuracy


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch computes with one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.inference_mode()
def _accuracy(network: LeNet, split: Split) -> float:
    batches = _batches(split, images_at_once(split.examples.shape[1:], TEST_BATCH_SIZE))
    correct = sum(int((network(images).argmax(dim=1) == labels).sum()) for images, labels in batches)
    return correct / len(split)


def _batches(
    split: Split, batch_size: int, generator: torch.Generator | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """All images and labels of `split` once: shuffled if there is a generator, in their own order otherwise."""
    assert split.labels is not None
    n = len(split)
    order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
    for index in order.split(batch_size):
        rows = index.numpy()
        yield to_tensor(split.examples[rows]), torch.from_numpy(split.labels[rows].astype(np.int64))
