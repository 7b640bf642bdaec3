from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

import trainables.methods.base  # noqa: F401  takes the compiler out of the optimisers, as every method does

PROGRAM = """
import sys
import trainables.methods.base
import torch
layer = torch.nn.Linear(2, 1)
for kind in (torch.optim.Adam, torch.optim.SGD, torch.optim.RMSprop):
    optimizer = kind(layer.parameters(), lr=0.1)
    optimizer.zero_grad()
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""


def test_an_optimizer_does_not_load_the_compiler():
    assert subprocess.check_output([sys.executable, "-c", PROGRAM], text=True).strip() == "False"


def test_adam_steps_as_its_formula_says():
    weight = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = torch.optim.Adam([weight], lr=0.1, betas=(0.5, 0.9), eps=1e-8)
    expected, mean, square = [1.0, -2.0], [0.0, 0.0], [0.0, 0.0]
    for step in range(1, 4):
        optimizer.zero_grad()
        weight.pow(3).sum().backward()
        optimizer.step()
        for i, value in enumerate(expected):
            slope = 3 * value**2
            mean[i] = 0.5 * mean[i] + 0.5 * slope
            square[i] = 0.9 * square[i] + 0.1 * slope**2
            corrected = mean[i] / (1 - 0.5**step), square[i] / (1 - 0.9**step)
            expected[i] = value - 0.1 * corrected[0] / (math.sqrt(corrected[1]) + 1e-8)
    assert weight.tolist() == pytest.approx(expected, rel=1e-12)
    assert not optimizer.state[weight]["exp_avg"].requires_grad


def test_a_differentiable_step_can_be_differentiated():
    rate = torch.tensor(0.1, requires_grad=True)
    weight = torch.tensor([2.0], requires_grad=True).clone()
    weight.grad = torch.tensor([3.0])
    torch.optim.SGD([weight.detach().requires_grad_()], lr=0.1)
    optimizer = torch.optim.SGD([weight], lr=rate, differentiable=True)
    optimizer.step()
    weight.sum().backward()
    assert rate.grad.item() == pytest.approx(-3.0)
