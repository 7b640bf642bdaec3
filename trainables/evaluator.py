"""Runs the measures of a protocol on a method and merges their metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from trainables.data.cache import open_dataset
from trainables.measures.base import Measure, Measured
from trainables.measures.subject import Subject
from trainables.methods.abilities import ChoosesSamples
from trainables.methods.base import Method
from trainables.protocol import Protocol, measure_class


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: all metrics, and what each measure makes its pictures from."""

    metrics: dict[str, float]
    by_measure: tuple[tuple[Measure, Measured], ...]

    def draw(self, folder: Path) -> None:
        """Draw this evaluation into `folder`, over the pictures of an earlier one."""
        folder.mkdir(parents=True, exist_ok=True)
        for measure, measured in self.by_measure:
            measure.draw(measured, folder)

    def draw_frame(self, round_number: int, folder: Path) -> None:
        """Draw this evaluation into `folder`, beside the frames of other rounds."""
        folder.mkdir(parents=True, exist_ok=True)
        for measure, measured in self.by_measure:
            measure.draw_frame(measured, round_number, folder)

    def draw_training(self, frames: Path, folder: Path) -> None:
        """Draw all frames of a training together."""
        for measure, _ in self.by_measure:
            measure.draw_training(frames, folder)


class Evaluator:
    """The measures of a protocol, opened on its data set; made once per process, used for many trials."""

    def __init__(self, protocol: Protocol, cache_dir: Path, device: torch.device) -> None:
        self.protocol = protocol
        self.device = device
        self.dataset = open_dataset(protocol.dataset, cache_dir)
        self.measures = [
            measure_class(settings.measure)(settings, self.dataset, cache_dir, device) for settings in protocol.measures
        ]

    def __call__(self, method: Method, seed: int) -> Evaluation:
        """Evaluate `method`; `seed` gives the random numbers that samples need."""
        subject = Subject(method, seed)
        by_measure = tuple((measure, measure(subject)) for measure in self._answered_by(method))
        metrics = {name: value for _, measured in by_measure for name, value in measured.metrics.items()}
        if self.device.type == "cuda":
            torch.cuda.empty_cache()  # what training does not need is left to the trials that share the GPU
        return Evaluation(metrics, by_measure)

    def of_new_samples(self, method: Method, seed: int) -> dict[str, float]:
        """The metrics of new samples, for a method that chooses the samples that are evaluated; else none."""
        if not isinstance(method, ChoosesSamples):
            return {}
        subject = Subject(method, seed, only_new=True)
        measures = self._answered_by(method)
        return {name: value for m in measures for name, value in m.of_new_samples(subject).items()}

    def _answered_by(self, method: Method) -> list[Measure]:
        """All measures but the optional ones whose ability the method lacks."""

        def has(ability: type) -> bool:
            return isinstance(method, ability) and ability not in method.lacks

        pairs = zip(self.protocol.measures, self.measures, strict=True)
        return [measure for settings, measure in pairs if not settings.optional or has(measure.needs)]

    def references(self) -> dict[str, float]:
        """The reference values of all measures, by name."""
        return {name: value for measure in self.measures for name, value in measure.references().items()}
