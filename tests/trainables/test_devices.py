from __future__ import annotations

import pytest
import torch

from trainables.devices import bound_memory, device_of, gpu_failure, memory_fraction, name_of
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
