"""An update of a batch of images by `discriminator_only`, against a bare pass of its network, forward and backward."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from benchmarks._timing import timed
from trainables.data.dataset import Dataset, Split
from trainables.methods.discriminator_only import DiscriminatorOnly, DiscriminatorOnlyConfig
from trainables.methods.updates import frozen

UPDATES, TURNS = 20, 30


@dataclass(frozen=True)
class Size:
    """How large images, batches and the network are."""

    side: int
    width: float
    batch_size: int


SIZES = (Size(8, 1 / 16, 64), Size(28, 1 / 8, 32))
"""The digits and MNIST, as on a laptop."""


def main() -> None:
    """Print the milliseconds of both for each size, and their ratio."""
    torch.set_num_threads(1)  # as in a trial
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"{device.type}, 1 thread, medians of {TURNS} times {UPDATES} updates in turns")
    for size in SIZES:
        ours, bare = measured(size, device)
        name = f"{size.side}x{size.side}, width {size.width:.4g}, batch {size.batch_size}"
        print(f"{name:32} update {1e3 * ours:7.3f} ms   bare pass {1e3 * bare:7.3f} ms   ratio {ours / bare:.3f}")


def made(size: Size, device: torch.device, updates: int = UPDATES) -> DiscriminatorOnly:
    """A method with all terms on, whose images are updated so many times."""
    images = np.random.default_rng(0).integers(0, 256, (512, 1, size.side, size.side), dtype=np.uint8)
    dataset = Dataset("noise", Split(images, np.arange(512) % 10), Split(images[:10]), num_classes=10)
    # At this rate images hardly move, so no batch reaches the scores at which its updates end.
    config = DiscriminatorOnlyConfig(
        width=size.width, batch_size=size.batch_size, max_updates=updates, image_lr=1e-6, lambda_tv=1.0
    )
    return DiscriminatorOnly(config, dataset, device)


def measured(size: Size, device: torch.device) -> tuple[float, float]:
    """Seconds of an update with all terms on, and of a bare pass."""
    method = made(size, device)
    starts = method.noise(size.batch_size, method.rng)

    def update() -> None:
        made = method._descend(method.discriminator, starts, UPDATES, method._update_noise)
        assert made.num_updates == UPDATES

    def bare() -> None:
        with frozen(method.discriminator):
            for _ in range(UPDATES):
                x = starts.detach().requires_grad_()
                scores, _ = method.discriminator(x)
                torch.autograd.grad(scores.sum(), x)

    seconds = [(spent(update, device) / UPDATES, spent(bare, device) / UPDATES) for _ in range(TURNS + 1)]
    ours, theirs = zip(*seconds[1:], strict=True)  # the first turn pays for what both do once
    return median(ours), median(theirs)


def spent(call: Callable[[], None], device: torch.device) -> float:
    """Seconds of the CPU, so that other processes do not count; on a GPU, seconds of the clock."""
    if device.type != "cpu":
        return timed(call)[1]
    started = time.thread_time()
    call()
    return time.thread_time() - started
