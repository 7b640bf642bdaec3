"""python -m benchmarks gpu: refused without a GPU, and its parts on a CPU, tiny."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.inner_loop import Size, made
from trainables.testing.states import META, AnyGenerator

CPU = torch.device("cpu")
SMALL = Size(8, 1 / 32, 8)
TINY = gpu.Scale(SMALL, 3, 1 / 16, images=256, matrix=32, stacked=SMALL, seconds=0.1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_it_is_refused_in_one_sentence():
    command = [sys.executable, "-m", "benchmarks", "gpu"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"python -m benchmarks gpu needs a GPU: torch finds no working CUDA here.*\n", done.stderr)


@pytest.mark.slow
def test_it_reports_every_part(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "TURNS", 1)
    gpu.report(TINY, CPU, numbers=(1,))
    lines = capsys.readouterr().out.splitlines()
    assert sum("images/s" in line and "x plain" in line for line in lines) == len(gpu.PRECISIONS) * len(gpu.WORKLOADS)
    assert sum("trials at once: 1" in line for line in lines) == 2
    assert sum("1 seeds as one" in line for line in lines) == 1


def test_the_plain_loop_makes_the_same_images():
    work = gpu.discriminator_only(replace(TINY, updates=20), CPU)
    work.method.config = work.method.config.model_copy(update={"image_lr": 0.05})
    assert torch.allclose(work.plain(), work.ours(), atol=1e-3)


def test_an_update_at_full_width_is_85_gflop(monkeypatch):
    """Twice the products of each layer, forward and back to the images; the layers are those of figure 3.1."""
    monkeypatch.setattr(torch, "Generator", AnyGenerator)
    size = gpu.FULL.discriminator_only
    network = made(size, META).discriminator.requires_grad_(False)
    x = torch.zeros(size.batch_size, 1, 28, 28, device=META, requires_grad=True)
    counted = gpu.flops_of(lambda: network(x)[0].sum().backward())
    maps = 9 * (256 * 14**2 + 256 * 256 * 14**2 + 256 * 256 * 7**2 + 256 * 64 * 7**2)
    linear = (256 * 14**2 + 64 * 7**2) * 256 + 256 * 64 + 64 * 10 + 10
    assert counted == 2 * 2 * size.batch_size * (maps + linear)
    assert counted == pytest.approx(85e9, rel=0.02)
