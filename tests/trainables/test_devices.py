from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.devices import (
    bound_memory,
    computing_in,
    device_of,
    gpu_failure,
    memory_fraction,
    name_of,
    return_float32,
)
from trainables.errors import InputError


def test_a_trial_that_asked_for_no_gpu_uses_the_cpu():
    assert device_of(asked_for_gpu=False) == torch.device("cpu")
    assert name_of(torch.device("cpu")) == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_trial_that_asked_for_a_gpu_where_there_is_none_says_so():
    with pytest.raises(InputError, match="a GPU was asked for, and torch finds no working CUDA here"):
        device_of(asked_for_gpu=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_has_run_a_kernel():
    assert gpu_failure() is None
    assert device_of(asked_for_gpu=True).type == "cuda"
    assert name_of(torch.device("cuda")) == torch.cuda.get_device_name(0)


@pytest.mark.parametrize(("share", "gigabytes", "fraction"), [(0.25, 16, 0.21875), (0.5, 80, 0.49375), (0.1, 4, 0.05)])
def test_a_share_of_a_gpus_memory_leaves_room_for_cuda_itself(share, gigabytes, fraction):
    assert memory_fraction(share, gigabytes << 30) == pytest.approx(fraction)
    bound_memory(torch.device("cpu"), share)  # there is nothing to bound


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_trial_takes_no_more_of_a_gpu_than_its_share():
    device = torch.device("cuda")
    total = torch.cuda.get_device_properties(device).total_memory
    bound_memory(device, 0.1)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(total // 5, dtype=torch.uint8, device=device)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("precision", "is_exact"), [("fp32", True), ("tf32", False), ("bf16", False)])
def test_a_gpu_multiplies_in_the_precision_and_then_exactly_again(precision, is_exact):
    device = device_of(asked_for_gpu=True)
    a, b = torch.rand(2, 256, 256, device=device)
    exact = a.double() @ b.double()
    with computing_in(precision, device):
        inside = (a @ b).double()
    assert torch.allclose(inside, exact, rtol=1e-5) is is_exact
    assert torch.allclose((a @ b).double(), exact, rtol=1e-5)


def test_layers_in_bfloat16_return_float32_and_see_every_update():
    """On a CPU, which `study.launch` would not ask for it."""
    layer, other = nn.Linear(3, 2), nn.Linear(3, 2)
    return_float32(nn.ModuleList([layer]))
    x = torch.rand(5, 3)
    exact = layer(x)
    with computing_in("bf16", torch.device("cpu")):
        assert other(x).dtype == torch.bfloat16
        rounded = layer(x)
        with torch.no_grad():
            layer.weight.zero_()
            layer.bias.zero_()
        assert layer(x).eq(0).all()
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert torch.allclose(rounded, exact, atol=0.02)
    assert torch.equal(other(x), nn.functional.linear(x, other.weight, other.bias))


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_a_cpu_knows_no_other_precision(precision):
    layer, x = nn.Linear(3, 2), torch.rand(5, 3)
    exact = layer(x)
    with computing_in(precision, torch.device("cpu")):
        assert torch.equal(layer(x), exact)
