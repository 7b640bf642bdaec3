"""The seeds of a trial as one stacked model, where the method and its networks can be stacked and that is faster."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from trainables.checkpoints import KEPT, CheckpointFolder
from trainables.data.dataset import Dataset
from trainables.devices import computing_in
from trainables.evaluator import Evaluator
from trainables.methods.base import NonFiniteLossError, require_finite
from trainables.methods.scalars import read
from trainables.methods.stackable import Stackable
from trainables.repetitions import Repetitions
from trainables.stack import Stack, can_stack
from trainables.training import Training, clock
from trainables.trial_spec import TrialSpec

SMALL = 8 * 8
"""The most numbers of an example, for which a CPU spends more time between its operations than in them."""
CHECKPOINTS = "checkpoints"
MEMBERS, FAILURES = "members", "failures"


def make_training(spec: TrialSpec, evaluator: Evaluator, device: torch.device) -> Training | Repetitions:
    """The training of `spec`: with several seeds, a cohort where that pays, else one training after the other.

    A trial that has checkpoints goes on as it began.
    """
    if spec.seeds == 1:
        return Training(spec, evaluator, device)
    trainings = [Training(spec.repetition(k), evaluator, device) for k in range(spec.seeds)]
    methods = [training.method for training in trainings[:2]]
    is_cohort = (Path(spec.folder) / CHECKPOINTS).exists()
    is_new = not is_cohort and all(training.round == 0 for training in trainings)
    pays = spec.precision != "bf16" and pays_on(evaluator.dataset, device)  # a stack would return bfloat16
    if is_cohort or (is_new and pays and can_stack(methods)):
        return Cohort(spec, trainings)
    return Repetitions(spec, trainings)


def pays_on(dataset: Dataset, device: torch.device) -> bool:
    """Whether a stack is much faster: on a CPU for points and small images (`python -m benchmarks cohort`)."""
    return device.type != "cpu" or math.prod(dataset.shape) <= SMALL


class Cohort(Repetitions):
    """Trainings whose methods train as one between two evaluations. They have one checkpoint.

    Each gets the numbers that it would get alone, up to rounding. One that diverges is frozen, and the others go on;
    then the trial has no averages, and has failed in the end.
    """

    def __init__(self, spec: TrialSpec, trainings: Sequence[Training]) -> None:
        self.failures: list[str | None] = [None] * len(trainings)
        self.checkpoints = CheckpointFolder(Path(spec.folder) / CHECKPOINTS)
        state = self.checkpoints.load_newest()
        if state is not None:
            self.failures = list(state[FAILURES])
            for training, own in zip(trainings, state[MEMBERS], strict=True):
                training.load_state_dict(own)
        super().__init__(spec, trainings)

    def _train(self) -> None:
        started = clock()
        with computing_in(self.spec.precision, self.trainings[0].method.device):
            made = self._train_together()
        seconds, seconds_cpu = (now - before for now, before in zip(clock(), started, strict=True))
        for k in self._going():
            self.trainings[k].take_rounds(made[k], seconds / len(self._going()), seconds_cpu / len(self._going()))
        with ExitStack() as shares:
            for training in self.trainings:
                shares.enter_context(training.saving(1 / len(self.trainings)))
            state = {MEMBERS: [training.state_dict() for training in self.trainings], FAILURES: self.failures}
            self.checkpoints.save(state, self.round, kept=1 if self.is_done else KEPT)

    def _train_together(self) -> list[list[dict[str, float]]]:
        """The rounds of each training up to the next evaluation; of those that have failed, fewer."""
        going = self._going()
        first = self.trainings[going[0]]
        made: list[list[dict[str, float]]] = [[] for _ in self.trainings]
        stack = self._stacked(going)
        number, last = first.round, first.next_evaluation()
        while number < last:
            at_once = last - number if stack.defers else 1
            rounds = [stack.train_round() for _ in range(at_once)]
            for k, own in zip(going, zip(*rounds, strict=True), strict=True):
                try:
                    numbers = enumerate(read(own, number + 1), number + 1)
                    made[k] += [require_finite(metrics, number_of_round) for number_of_round, metrics in numbers]
                except NonFiniteLossError as error:
                    self.failures[k] = str(error)
            number += at_once
            if going != self._going():
                stack.write_back()
                going = self._going()
                if not going:
                    raise NonFiniteLossError(self.failure)
                stack = self._stacked(going)
        stack.write_back()
        return made

    def _stacked(self, going: Sequence[int]) -> Stack:
        return Stack([method for k in going if isinstance(method := self.trainings[k].method, Stackable)])

    def _going(self) -> list[int]:
        return [k for k, failure in enumerate(self.failures) if failure is None]

    @property
    def failure(self) -> str:
        """What has diverged; empty if nothing has."""
        reasons = {k: failure for k, failure in enumerate(self.failures) if failure is not None}
        if not reasons:
            return ""
        k, reason = next(iter(reasons.items()))
        return f"{len(reasons)} of {len(self.failures)} seeds diverged; seed-{k}: {reason}"
