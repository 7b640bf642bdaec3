"""Test images restored by classical methods, in the cache: made once, by the driver, for all trials."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.cache import keep
from trainables.classical.methods import Classical, classical_methods
from trainables.data.dataset import Dataset
from trainables.data.degradations import TASKS
from trainables.data.sources import file_name
from trainables.data.subset import choose
from trainables.data.tasks import Task
from trainables.data.tensors import to_tensor
from trainables.metrics.restoration import psnr

CHOSEN_ON = 20
"""Training images on which the parameters of classical methods are chosen."""

FILLED_FROM = 5000
"""Training images at most from which holes are filled: all of a large data set would not fit into memory as floats."""

Parameters = Mapping[str, float]
"""The chosen parameter of each classical method of a task, by the method's name."""


def choose_parameters(task: Task, dataset: Dataset, seed: int) -> dict[str, float]:
    """The parameter of each method with the best mean PSNR on training images."""
    originals = to_tensor(choose(dataset.train.examples, CHOSEN_ON, seed))
    degraded = TASKS[task](originals, torch.Generator().manual_seed(seed))
    methods = _methods(task, dataset)

    def quality(method: Classical, parameter: float) -> float:
        return psnr(_restore(method, parameter, degraded), originals)

    return {
        name: max(method.parameters, key=lambda parameter: quality(method, parameter))
        if len(method.parameters) > 1
        else method.parameters[0]
        for name, method in methods.items()
    }


def classical_restorations(
    task: Task, parameters: Parameters, degraded: Tensor, dataset: Dataset, cache_dir: Path
) -> dict[str, Tensor]:
    """`degraded` `(n, C, h, w)` restored by each method, `(n, C, H, W)` in [-1, 1]; kept in the cache."""
    digest = hashlib.sha256(np.ascontiguousarray(degraded.cpu().numpy()).data).hexdigest()
    folder = cache_dir / "classical" / f"{file_name(dataset.name)}-{task}-{digest[:12]}"
    key = {"task": task, "parameters": dict(parameters), "degraded_sha256": digest}

    def make(partial: Path) -> None:
        for name, method in _methods(task, dataset).items():
            restored = _restore(method, parameters[name], degraded.cpu())
            np.save(partial / f"{name}.npy", restored.numpy(), allow_pickle=False)

    keep(folder, key, make, f"{folder} is damaged: restoring the images again.")
    return {
        name: torch.from_numpy(np.load(folder / f"{name}.npy", allow_pickle=False)).to(degraded.device)
        for name in parameters
    }


def _methods(task: Task, dataset: Dataset) -> dict[str, Classical]:
    training = choose(dataset.train.examples, FILLED_FROM, seed=0)
    return classical_methods(TASKS[task], _unit(to_tensor(training)))


def _restore(method: Classical, parameter: float, degraded: Tensor) -> Tensor:
    restored = np.stack([method.restore(image, parameter) for image in _unit(degraded)])
    return torch.from_numpy(restored).float().mul(2).sub(1).clamp(-1, 1)


def _unit(images: Tensor) -> np.ndarray:
    """Images in [-1, 1] as float64 in [0, 1]."""
    return images.double().add(1).div(2).numpy()
