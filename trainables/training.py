"""One trial without Ray: a method is built, trained in rounds, evaluated, checkpointed, and goes on where it was."""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainables.checkpoints import KEPT, CheckpointFolder
from trainables.curves import Curves
from trainables.data.statistics import pixel_statistics
from trainables.devices import computing_in, return_float32
from trainables.evaluator import Evaluation, Evaluator
from trainables.export import BEST_FILE, build, export
from trainables.files import write_atomically
from trainables.measures.frames import FRAMES
from trainables.methods.abilities import Follows
from trainables.methods.base import method_class, sub_seed
from trainables.methods.scalars import read
from trainables.metrics.points import movement
from trainables.oscillation import Oscillation
from trainables.protocol import AT_BEST, BEST, BEST_ROUND, base_name
from trainables.trial_spec import TrialSpec

State = dict[str, Any]
Report = dict[str, float]

REPORTED = "reported_ms"
"""The key under which a report says when it was first made, in milliseconds since the epoch."""

REPORT_TIMES = "reported.json"
"""The file in a trial's folder that says when each round was first reported."""

FAILURE = "failure"
"""The key under which the last report of a trial says why it has failed."""

SECONDS = ("seconds_training", "seconds_evaluation", "seconds_saving")
"""What a training's time goes into. A report is saved with the checkpoint: the time for that is in the next one."""

SECONDS_CPU = "seconds_cpu"
"""The CPU time of the process in training, which other processes on the machine hardly change."""

PARAMETERS = "parameters"
"""The number of weights of the networks that a method needs when it is trained."""

FOLLOWED = 256
"""Samples of the same latents whose movement is measured."""


class Training:
    """The training of one `TrialSpec` with one seed, on one device.

    It starts from the newest whole checkpoint in the trial's folder when there is one. All that it reports after
    that equals what an uninterrupted training reports, except the durations. Beside the checkpoints it keeps the
    weights and the pictures of the evaluation that was the best by the objective, if that ends in `_best`, or else of
    the latest evaluation.
    """

    def __init__(self, spec: TrialSpec, evaluator: Evaluator, device: torch.device) -> None:
        self.spec = spec
        self.evaluator = evaluator
        self.folder = Path(spec.folder)
        method = method_class(spec.method)
        self.config = method.Config.model_validate(spec.config)
        self.method = method(self.config, evaluator.dataset, device)
        if spec.precision == "bf16":
            for value in (getattr(self.method, name) for name in method.state):
                if isinstance(value, nn.Module):
                    return_float32(value)
        self.checkpoints = CheckpointFolder(self.folder / "checkpoints")
        self.round = 0
        self.report: dict[str, float] = {}
        """What the last `advance` returned. A process may die before anybody has heard it."""
        self.best: dict[str, float] = {}
        """For each metric, its best value so far and its value in the evaluation whose weights are kept; its round."""
        self.metrics = spec.protocol.metrics()
        self.oscillation = Oscillation()
        self.curves = Curves(spec.curves)
        self.followed: Tensor | None = None
        self.totals: dict[str, float] = defaultdict(float, dict.fromkeys((*SECONDS, SECONDS_CPU), 0.0))
        state = self.checkpoints.load_newest()
        if state is not None:
            self.load_state_dict(state)

    def advance(self) -> dict[str, float]:
        """Train up to the next evaluation; return the metrics, flat, and leave a checkpoint behind.

        Raises `NonFiniteLossError` where training diverges.
        """
        started = clock()
        with computing_in(self.spec.precision, self.method.device):
            rounds = [self.method.train_round() for _ in range(self.next_evaluation() - self.round)]
            numbers = read(rounds, self.round + 1)
        report = self.take_rounds(numbers, *(now - before for now, before in zip(clock(), started, strict=True)))
        with self.saving():
            # A finished trial needs one: the one before it also holds what further rounds would have needed.
            self.checkpoints.save(self.state_dict(), self.round, kept=1 if self.is_done else KEPT)
        return report

    def take_rounds(self, rounds: Sequence[Mapping[str, float]], seconds: float, seconds_cpu: float) -> Report:
        """Evaluate after `rounds`, what the method's rounds since the last evaluation returned, and their cost."""
        metrics = self._summed_up(rounds)
        started = time.perf_counter()
        evaluation = self.evaluator(self.method, sub_seed(self.config.seed, f"evaluation {self.round}"))
        metrics |= self._movement()
        improved = self._update_best(evaluation.metrics)
        self._draw(evaluation, improved)
        self.totals["seconds_training"] += seconds
        self.totals[SECONDS_CPU] += seconds_cpu
        self.totals["seconds_evaluation"] += time.perf_counter() - started
        with self.saving():
            if improved:
                self._export(evaluation)
        if self.is_done:
            metrics |= self._of_new_samples()
            self.method.finish()
        self.curves.add(self.round, {**metrics, **evaluation.metrics})
        if self.is_done:
            metrics |= self.curves.properties(self.spec.rounds)
        metrics |= {**evaluation.metrics, **self.best, PARAMETERS: self._parameters()}
        metrics[REPORTED] = self._reported_at()
        self.report = flat_report(metrics, self.totals, self.round)
        return self.report

    def _reported_at(self) -> int:
        """When this round was first reported: also where it is trained again, since the checkpoint after it was lost.

        Trackers keep a value for each time of a round.
        """
        file = self.folder / REPORT_TIMES
        try:
            times = json.loads(file.read_bytes())
        except (OSError, ValueError):
            times = {}
        at: int = times.setdefault(str(self.round), time.time_ns() // 1_000_000)
        write_atomically(file, json.dumps(times).encode())
        return at

    @contextmanager
    def saving(self, share: float = 1.0) -> Iterator[None]:
        """Counts this share of the time inside as time for saving."""
        started = time.perf_counter()
        yield
        self.totals["seconds_saving"] += share * (time.perf_counter() - started)

    def _parameters(self) -> float:
        return float(sum(p.numel() for network in self.method.networks().values() for p in network.parameters()))

    @property
    def is_done(self) -> bool:
        return self.round >= self.spec.rounds

    def _summed_up(self, rounds: Sequence[Mapping[str, float]]) -> Report:
        """The means of what rounds report; progress is summed in `totals`.

        For a loss, `<name>_swing` is the standard deviation over these rounds: how much it oscillates.
        `<name>_swing_overall` is the deviation over all rounds so far, since a GAN may oscillate only early.
        """
        values: dict[str, list[float]] = defaultdict(list)
        for metrics in rounds:
            for name, value in metrics.items():
                values[name].append(value)
        self.round += len(rounds)
        for name in self.method.progress_metrics:
            self.totals[name] += sum(values.pop(name, []))
        losses = {f"{name}_swing": v for name, v in values.items() if name.startswith("loss_")}
        for name, window in losses.items():
            self.oscillation.add(f"{name}_overall", window)
        swings = {name: float(np.std(window)) for name, window in losses.items()}
        means = {name: float(sum(v) / len(v)) for name, v in values.items()}
        return means | swings | self.oscillation.deviations()

    def _movement(self) -> dict[str, float]:
        """How far samples of the same latents moved since the last evaluation, in standard deviations of the data."""
        if not isinstance(self.method, Follows):
            return {}
        before, self.followed = self.followed, self.method.follow(FOLLOWED).cpu()
        if before is None:
            return {}
        return {"movement": movement(before.numpy(), self.followed.numpy(), self._deviation)}

    @cached_property
    def _deviation(self) -> float:
        """The standard deviation of the test set's values around the mean of their pixel, or coordinate."""
        _, variance = pixel_statistics(self.evaluator.dataset.test.examples)
        return float(variance.mean().sqrt())

    def _of_new_samples(self) -> dict[str, float]:
        """The metrics of new samples of the kept weights: the samples of the evaluation cannot be had again."""
        if not (self.folder / BEST_FILE).exists():  # the objective was never finite
            return {}
        kept = build(self.folder / BEST_FILE, self.evaluator.dataset, self.method.device)
        return self.evaluator.of_new_samples(kept, sub_seed(self.config.seed, "new samples"))

    def next_evaluation(self) -> int:
        """The round of the next evaluation: a multiple of `evaluate_every`, one of `evaluate_at`, or the last round."""
        every = self.spec.evaluate_every
        regular = (self.round // every + 1) * every
        further = [number for number in self.spec.evaluate_at if number > self.round]
        return min(regular, *further, self.spec.rounds)

    def _update_best(self, measured: Mapping[str, float]) -> bool:
        """Update the best values; return whether the weights of this evaluation are to be kept."""
        objective = base_name(self.spec.objective)
        keeps_newest = objective == self.spec.objective
        improved = False
        for name in (name for name in measured if name in self.metrics):
            before = self.best.get(name + BEST, math.nan)
            best = measured[name] if math.isnan(before) else min(before, measured[name], key=self.metrics[name].loss)
            improved |= name == objective and math.isfinite(best) and best != before
            self.best[name + BEST] = best
        if improved or keeps_newest:
            self.best[BEST_ROUND] = float(self.round)
            self.best |= {name + AT_BEST: value for name, value in measured.items() if name in self.metrics}
        return improved or keeps_newest

    def _draw(self, evaluation: Evaluation, improved: bool) -> None:
        """The pictures of the evaluation that is kept, the frame of every one, and all frames after the last."""
        pictures, frames = self.folder / "pictures", self.folder / FRAMES
        if improved:
            evaluation.draw(pictures)
        evaluation.draw_frame(self.round, frames)
        if self.is_done:
            evaluation.draw_training(frames, pictures)

    def _export(self, evaluation: Evaluation) -> None:
        # Before the checkpoint: a process that dies between the two makes the same file again when it goes on.
        objective = base_name(self.spec.objective)
        export(
            self.spec.method,
            self.config.model_dump(mode="json"),
            self.evaluator.dataset.name,
            self.method,
            self.folder / BEST_FILE,
            self.round,
            evaluation.metrics,
            objective,
            self.metrics[objective].direction,
        )

    def state_dict(self) -> State:
        """What the next `advance` depends on, and what the last one returned."""
        return {
            "round": self.round,
            "report": dict(self.report),
            "best": dict(self.best),
            "totals": dict(self.totals),
            "oscillation": self.oscillation.state_dict(),
            "curves": self.curves.state_dict(),
            "followed": self.followed,
            "method": self.method.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from `state`."""
        self.round = state["round"]
        self.report = dict(state["report"])
        self.best = dict(state["best"])
        self.totals = defaultdict(float, state["totals"])
        self.oscillation.load_state_dict(state["oscillation"])
        self.curves.load_state_dict(state.get("curves", {}))
        self.followed = state["followed"]
        self.method.load_state_dict(state["method"])


def clock() -> tuple[float, float]:
    """Seconds of the wall clock, and of the process's CPUs."""
    return time.perf_counter(), time.process_time()


def flat_report(metrics: Mapping[str, float], totals: Mapping[str, float], round_number: int) -> dict[str, float]:
    """What was measured and what it cost, flat."""
    report = {**metrics, **totals, "round": round_number, "memory_mb": _peak_memory_mb()}
    report["evaluation_share"] = totals["seconds_evaluation"] / sum(totals[name] for name in SECONDS)
    if generated := totals.get("images_generated"):
        report["images_per_second"] = generated / totals["seconds_training"]
    return report


def _peak_memory_mb() -> float:
    """Peak resident memory in MiB; on Linux without the files that are mapped, which a node's trials share.

    The files are libraries and data. How much of them is resident is up to the kernel.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform == "darwin":
        return peak / 2**20
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    mapped = sum(int(line.split()[1]) for line in lines if line.startswith(("RssFile:", "RssShmem:")))
    return (peak - mapped) / 2**10
