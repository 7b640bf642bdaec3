"""One iteration of the residual GAN `M3_B` at full width, batch 64 of 28x28, against the loop of a tutorial."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
import torch
from torch import nn

from benchmarks._timing import timed
from trainables.data.dataset import Dataset, Split
from trainables.data.tensors import to_tensor
from trainables.methods.gan import Gan, GanConfig

TURNS = 15


def main() -> None:
    """Print the median seconds of both, and their ratio."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = np.random.default_rng(0).integers(0, 256, (4096, 1, 28, 28), dtype=np.uint8)
    dataset = Dataset("noise", Split(images), Split(images[:1]), num_classes=None)
    method = Gan(GanConfig(generator_depth=3, discriminator_depth=3), dataset, device)
    plain = plain_iteration(method, dataset, device)
    ours, theirs = [], []
    # The first turn pays for what both do once.
    for turn in range(TURNS + 1):
        seconds = timed(method.train_round)[1], timed(plain)[1]
        if turn > 0:
            ours.append(seconds[0])
            theirs.append(seconds[1])
    print(f"{device.type}, {torch.get_num_threads()} threads, medians of {TURNS} iterations in turns")
    print(f"gan method   {median(ours):.4f} s")
    print(f"plain loop   {median(theirs):.4f} s")
    print(f"ratio        {median(ours) / median(theirs):.3f}")


def plain_iteration(method: Gan, dataset: Dataset, device: torch.device) -> Callable[[], tuple[float, float]]:
    """The loop of PyTorch's DCGAN tutorial with the same networks, settings and data, in the default memory format."""
    g = copy.deepcopy(method.generator).to(memory_format=torch.contiguous_format)
    d = copy.deepcopy(method.discriminator).to(memory_format=torch.contiguous_format)
    config = method.config
    g_optimizer, d_optimizer = (
        torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999), weight_decay=config.weight_decay) for n in (g, d)
    )
    criterion = nn.BCEWithLogitsLoss()
    ones, zeros = (torch.full((config.batch_size,), label, device=device) for label in (1.0, 0.0))
    batches = shuffled(to_tensor(dataset.train.examples), config.batch_size)

    def iterate() -> tuple[float, float]:
        d_optimizer.zero_grad()
        d_loss_real = criterion(d(next(batches).to(device)), ones)
        d_loss_real.backward()
        fake = g(2 * torch.rand(config.batch_size, config.latent_dim, device=device) - 1)
        d_loss_fake = criterion(d(fake.detach()), zeros)
        d_loss_fake.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        g_loss = criterion(d(fake), ones)
        g_loss.backward()
        g_optimizer.step()
        return (d_loss_real + d_loss_fake).item(), g_loss.item()

    return iterate


def shuffled(images: torch.Tensor, batch_size: int) -> Iterator[torch.Tensor]:
    """Batches of images that are at hand as floats: no data loader's overhead is counted against the peer."""
    while True:
        for indices in torch.randperm(len(images)).split(batch_size):
            yield images[indices]
