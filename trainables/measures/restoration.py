"""How well degraded images are restored: closeness to the originals, and likeness to real images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.cache import open_dataset
from trainables.data.dataset import Dataset
from trainables.data.degradations import TASKS, Hole
from trainables.data.subset import choose
from trainables.data.tasks import Task
from trainables.data.tensors import to_tensor
from trainables.extractors.base import extract_array
from trainables.extractors.by_name import load_extractor, prepare_extractor
from trainables.measures.base import Measure, Measured, Prepared
from trainables.measures.classical_restorations import choose_parameters, classical_restorations
from trainables.measures.reference import Reference, feature_metrics
from trainables.measures.reference_cache import ReferenceKey, cached_reference
from trainables.measures.restoration_figure import save_restorations
from trainables.measures.settings import RestorationSettings
from trainables.measures.subject import Subject
from trainables.methods.abilities import Restores
from trainables.metrics.restoration import psnr, psnr_pooled, sharpness, ssim

SHOWN = 8
"""Images in a picture."""

SMALLEST_FOR_SSIM = 7
"""Pixels of a side: the window of the structural similarity."""


@dataclass(frozen=True)
class Problem:
    """Degraded test images, and what classical methods make of them, in [-1, 1]."""

    task: Task
    degraded: Tensor
    classical: dict[str, Tensor]
    best_psnr: float
    """Of the classical methods."""


class Restoration(Measure):
    """Restores test images whose degradation is the same in every evaluation and every trial."""

    Settings = RestorationSettings
    needs = Restores

    @classmethod
    def prepare(cls, settings: RestorationSettings, dataset: str, cache_dir: Path) -> Prepared:
        extractor, _ = prepare_extractor(settings.features, dataset, cache_dir)
        opened = open_dataset(dataset, cache_dir)
        for task in settings.tasks:
            TASKS[task].check(opened.shape)
        parameters = {task: choose_parameters(task, opened, settings.seed) for task in settings.tasks}
        complete = {
            "extractor_version": extractor.version,
            "extractor_sha256": extractor.sha256,
            "parameters": parameters,
        }
        prepared = RestorationSettings(**settings.model_dump() | complete)
        # The trials find the images in the cache.
        measure = cls(prepared, opened, cache_dir, torch.device("cpu"))
        for task in settings.tasks:
            measure.problem(task)
        return Prepared(prepared)

    def __init__(self, settings: RestorationSettings, dataset: Dataset, cache_dir: Path, device: torch.device) -> None:
        self.settings = settings
        self.dataset = dataset
        self.cache_dir = cache_dir
        self.device = device
        self.originals = to_tensor(dataset.test.examples[: settings.num_images], device)
        self.extractor = load_extractor(settings.features, settings.extractor_sha256, dataset.name, cache_dir, device)
        self._problems: dict[Task, Problem] = {}

    @cached_property
    def _reference(self) -> Reference:
        real = choose(self.dataset.train.examples, self.settings.num_real, self.settings.seed)
        key = ReferenceKey.of(self.settings, self.dataset.name, real)

        def make() -> Reference:
            return Reference.of(extract_array(self.extractor, real)[0], self.settings, self.device)

        return cached_reference(key, self.cache_dir, make, self.device)

    def problem(self, task: Task) -> Problem:
        """The degraded test images of a task."""
        if task not in self._problems:
            rng = torch.Generator().manual_seed(self.settings.seed)
            degraded = TASKS[task](self.originals, rng)
            parameters = self.settings.parameters[task]
            classical = classical_restorations(task, parameters, degraded, self.dataset, self.cache_dir)
            best = max(psnr(images, self.originals) for images in classical.values())
            self._problems[task] = Problem(task, degraded, classical, best)
        return self._problems[task]

    def __call__(self, subject: Subject) -> Measured:
        problem = self.problem(getattr(subject.method, "task", self.settings.tasks[0]))
        restored = subject.method.restore(problem.degraded).clamp(-1.0, 1.0)
        metrics = self.image_metrics(restored, problem.task)
        reached = metrics[f"psnr_{problem.task}"]
        metrics["psnr_gain"] = reached - problem.best_psnr
        if "degraded" in problem.classical:
            metrics["psnr_over_degraded"] = reached - psnr(problem.classical["degraded"], self.originals)
        return Measured(metrics, (problem, restored))

    def image_metrics(self, restored: Tensor, task: Task) -> dict[str, float]:
        """The metrics of restored test images `(n, C, H, W)` in [-1, 1]."""
        features, probabilities = self.extractor(restored)
        found = self._closeness(restored, task) | feature_metrics(
            self.settings, self._reference, features, probabilities
        )
        if self.settings.features == "lenet":
            found["class_kept"] = float(np.mean(probabilities.argmax(1) == self._classes))
        return found

    @cached_property
    def _classes(self) -> np.ndarray:
        """The classes that the data set's classifier sees in the originals."""
        return self.extractor(self.originals)[1].argmax(1)

    def _closeness(self, restored: Tensor, task: Task) -> dict[str, float]:
        found = {
            f"psnr_{task}": psnr(restored, self.originals),
            f"psnr_pooled_{task}": psnr_pooled(restored, self.originals),
            "sharpness": sharpness(restored, self.originals),
        }
        if min(self.dataset.shape[1:]) >= SMALLEST_FOR_SSIM:
            found[f"ssim_{task}"] = ssim(restored, self.originals)
        if isinstance(hole := TASKS[task].operator, Hole):
            rows, columns = hole.place(*self.dataset.shape[1:])
            inside = (..., rows, columns)
            found["psnr_in_hole"] = psnr_pooled(restored[inside], self.originals[inside])
        return found

    def references(self) -> dict[str, float]:
        """The metrics of classical methods, which learn nothing from other images, and of the original test images."""
        found = {}
        for task in self.settings.tasks:
            for name, restored in self.problem(task).classical.items():
                for metric, value in self.image_metrics(restored, task).items():
                    of_task = metric if metric.endswith(task) else f"{metric}_{task}"
                    found[f"{of_task}_{name}"] = value
        features, probabilities = self.extractor(self.originals)
        real = feature_metrics(self.settings, self._reference, features, probabilities)
        return found | {f"{metric}_test_images": value for metric, value in real.items()}

    def draw(self, measured: Measured, folder: Path) -> None:
        """Write `restored.png`: originals, degraded and restored images, with the PSNR under each."""
        problem, restored = measured.seen
        is_smaller = TASKS[problem.task].factor > 1
        rows = {"degraded": problem.degraded} if is_smaller else {}
        save_restorations(
            self.originals[:SHOWN],
            {name: images[:SHOWN] for name, images in {**rows, **problem.classical, "this model": restored}.items()},
            folder / "restored.png",
        )
