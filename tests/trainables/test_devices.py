from __future__ import annotations

import pytest
import torch

from trainables.devices import device_of, gpu_failure, name_of
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
