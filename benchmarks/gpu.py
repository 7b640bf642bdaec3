"""What a GPU makes of three trainings, against plain PyTorch loops; of several trials at once; of stacked seeds.

Shares are of the rate of a large matrix product in the same precision, measured in the same run.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median
from threading import Barrier
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._timing import timed
from benchmarks.gan_iteration import plain_iteration
from benchmarks.inner_loop import Size, made
from search_spaces.published_gan import DCGAN
from study.nodes.sharing import shared_gpus
from trainables.data.dataset import Dataset, Split
from trainables.devices import computing_in, device_of, gpu_failure, name_of, return_float32
from trainables.losses import hinge_real
from trainables.methods.discriminator_only import DiscriminatorOnly
from trainables.methods.gan import Gan, GanConfig
from trainables.methods.updates import frozen
from trainables.precision import Precision
from trainables.stack import Stack

PRECISIONS: tuple[Precision, ...] = ("tf32", "bf16")
TURNS = 7
MEMBERS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Scale:
    """How large everything is. Widths multiply those of the networks, as settings of the methods do."""

    discriminator_only: Size
    updates: int
    """Of a batch of images."""
    gan_width: float
    images: int
    """Of the data set."""
    matrix: int
    stacked: Size
    seconds: float
    """For which trials that share a card are counted."""


FULL = Scale(Size(28, 1.0, 128), 500, 1.0, images=4096, matrix=8192, stacked=Size(28, 1 / 8, 32), seconds=20.0)


@dataclass(frozen=True)
class Workload:
    """The same work by a method of this project and by a plain loop, for so many images a call."""

    method: DiscriminatorOnly | Gan
    ours: Callable[[], Any]
    plain: Callable[[], Any]
    images: int


def main() -> None:
    """Print images per second, the share of the peak and the ratio to the plain loop; then trials at once, and stacks.

    Exits with status 2 where there is no GPU.
    """
    if reason := gpu_failure():
        print(f"python -m benchmarks gpu needs a GPU: {reason}", file=sys.stderr)
        sys.exit(2)
    report(FULL, device_of(asked_for_gpu=True))


def report(scale: Scale, device: torch.device, numbers: tuple[int, ...] = MEMBERS) -> None:
    """Measure everything and print it."""
    print(f"{name_of(device)}, PyTorch {torch.__version__}, medians of {TURNS} turns")
    for precision in PRECISIONS:
        peak = matmul_rate(scale.matrix, precision, device)
        print(f"{precision}: matrix product {peak / 1e12:.3g} TFLOP/s", flush=True)
        for name, build in WORKLOADS.items():
            rate, share, ratio = measured(build(scale, device), precision, device, peak)
            print(f"  {name:36} {rate:10.0f} images/s   {share:6.1%} of it   {ratio:5.2f}x plain", flush=True)
    for with_mps in (False, True):
        for number in numbers:
            how, rate = trials_at_once(number, scale, device, with_mps)
            print(f"M3_B, trials at once: {number}   {rate:10.0f} images/s together   {how}", flush=True)
    for number in numbers:
        alone, stacked = stack_of_seeds(number, scale, device)
        print(
            f"discriminator only, width 1/8: {number} seeds as one {alone / stacked:5.2f}x one after the other",
            flush=True,
        )


def measured(work: Workload, precision: Precision, device: torch.device, peak: float) -> tuple[float, float, float]:
    """Images per second, their share of `peak` in FLOP/s, and how many times as fast as the plain loop."""
    if precision == "bf16":
        for network in work.method.networks().values():
            return_float32(network)
    ours, theirs = [], []
    with computing_in(precision, device):
        flops = flops_of(work.plain)
        for turn in range(TURNS + 1):  # the first pays for what both do once
            seconds = timed(work.ours)[1], timed(work.plain)[1]
            if turn > 0:
                ours.append(seconds[0])
                theirs.append(seconds[1])
    spent = median(ours)
    return work.images / spent, flops / spent / peak, median(theirs) / spent


def flops_of(call: Callable[[], Any]) -> int:
    """The floating-point operations of the layers in a call, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def matmul_rate(side: int, precision: Precision, device: torch.device) -> float:
    """FLOP/s of a product of two square matrices: the best of some turns."""
    first, second = torch.rand(2, side, side, device=device)
    with computing_in(precision, device):
        seconds = min(timed(lambda: [first @ second for _ in range(10)])[1] for _ in range(TURNS))
    return 10 * 2 * side**3 / seconds


def discriminator_only(scale: Scale, device: torch.device) -> Workload:
    """The updates of a batch of images by the discriminator's score, all terms on; an image counts at each update."""
    method = made(scale.discriminator_only, device, scale.updates)
    starts = method.noise(method.config.batch_size, method.rng)

    def ours() -> torch.Tensor:
        return method._descend(method.discriminator, starts, scale.updates, method._update_noise).images

    return Workload(method, ours, lambda: plain_descent(method, starts), method.config.batch_size * scale.updates)


def plain_descent(method: DiscriminatorOnly, starts: torch.Tensor) -> torch.Tensor:
    """The same by Adam and the schedule of PyTorch, and by automatic differentiation of all terms."""
    config = method.config
    x = starts.clone().requires_grad_()
    adam = torch.optim.Adam([x], config.image_lr)
    plateau = ReduceLROnPlateau(adam, factor=0.5, patience=10, min_lr=1e-5)
    with frozen(method.discriminator):
        for _ in range(config.max_updates):
            adam.zero_grad()
            scores, _ = method.discriminator(x)
            mean_error, variance_error = x.mean(0) - method.pixel_mean, x.var(0, correction=0) - method.pixel_variance
            statistics = mean_error.square().sum() + variance_error.square().sum()
            variation = (x.diff(dim=-1).square().sum() + x.diff(dim=-2).square().sum()) / x.numel()
            loss = hinge_real(scores) + config.lambda_stat * statistics + config.lambda_tv * variation
            loss.backward()
            adam.step()
            plateau.step(loss.item())
            if scores.mean().item() >= 1.0:
                break
    return x.detach()


def residual_gan(scale: Scale, device: torch.device) -> Workload:
    """An iteration of `M3_B`, batch 64 of 28x28."""
    return _gan(scale, device, (1, 28, 28), generator_depth=3, discriminator_depth=3)


def dcgan(scale: Scale, device: torch.device) -> Workload:
    """An iteration of the DCGAN of `faces`, batch 128 of 64x64, with one update of the discriminator."""
    return _gan(scale, device, (3, 64, 64), **DCGAN)


def _gan(scale: Scale, device: torch.device, shape: tuple[int, ...], **settings: Any) -> Workload:
    images = np.random.default_rng(0).integers(0, 256, (scale.images, *shape), dtype=np.uint8)
    dataset = Dataset("noise", Split(images), Split(images[:1]), num_classes=None)
    widths = {"generator_width": scale.gan_width, "discriminator_width": scale.gan_width}
    method = Gan(GanConfig(**widths, **settings), dataset, device)
    return Workload(method, method.train_round, plain_iteration(method, dataset, device), method.config.batch_size)


WORKLOADS: dict[str, Callable[[Scale, torch.device], Workload]] = {
    "discriminator only, full width": discriminator_only,
    "M3_B, 28x28": residual_gan,
    "DCGAN, 64x64": dcgan,
}


def trials_at_once(number: int, scale: Scale, device: torch.device, with_mps: bool) -> tuple[str, float]:
    """How trials in processes of their own share the card, and the images per second of all together."""
    if not with_mps:
        return "by time slices", _together(number, scale, device)
    with shared_gpus() as sentence:
        return sentence, _together(number, scale, device)


def _together(number: int, scale: Scale, device: torch.device) -> float:
    context = multiprocessing.get_context("spawn")
    begin = context.Barrier(number, timeout=600)
    with ProcessPoolExecutor(number, context, _remember, (begin,)) as processes:
        rates = [processes.submit(_images_per_second, scale, device.type) for _ in range(number)]
        return sum(rate.result() for rate in rates)


_begin: Barrier | None = None


def _remember(begin: Barrier) -> None:
    global _begin
    _begin = begin


def _images_per_second(scale: Scale, device_type: str) -> float:
    """Of `M3_B` in this process, from when all are ready."""
    assert _begin is not None
    device = device_of(device_type == "cuda")
    work = residual_gan(scale, device)
    with computing_in("tf32", device):
        timed(work.ours)
        _begin.wait()
        calls, started = 0, time.perf_counter()
        while (spent := time.perf_counter() - started) < scale.seconds:
            timed(work.ours)
            calls += 1
    return calls * work.images / spent


def stack_of_seeds(number: int, scale: Scale, device: torch.device) -> tuple[float, float]:
    """Seconds of a round of `number` small methods one after the other, and as one."""
    members = [made(scale.stacked, device, updates=12) for _ in range(number)]
    for member in members:
        member.train_round()  # with the initial training
    stack = Stack(members)
    alone, stacked = [], []
    with computing_in("tf32", device):
        for _ in range(TURNS):
            stacked.append(timed(stack.train_round)[1])
            alone.append(timed(lambda: [member.train_round() for member in members])[1])
    return median(alone), median(stacked)
