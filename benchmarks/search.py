"""What the search of `gradnorm` finds, and what early stopping and a model of the settings are worth.

TPE with ASHA, as a study has them by default, against random search that trains every trial to its end. Both search the
laptop scale of gradnorm on the digits, with half its width and fewer rounds. As in a study, the search begins with the
first trials, which have published settings: it knows them, but neither what they reach nor what they spend is counted.
The searcher and the scheduler are those of a study. Two trials run at once, as on two cores: the one that has spent
less goes on. What they spend is counted in updates of a batch of images, into which most of the time of a trial goes,
so that other work on the machine does not change the outcome.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import study  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import torch
from optuna.storages import InMemoryStorage
from optuna.trial import FixedTrial

from search_spaces.gradnorm import GradNorm
from search_spaces.space import FirstTrial
from study.optuna_storage import create_study
from study.schedulers import make_scheduler
from study.searcher import OptunaSearcher
from study.simulation import run
from study.trials import FAILURE
from trainables.evaluator import Evaluator
from trainables.measures.settings import FidelitySettings
from trainables.methods.base import NonFiniteLossError, method_class
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol
from trainables.training import Training
from trainables.trial_spec import TrialSpec

SEEDS = (0, 1, 2, 3, 4)
OBJECTIVE = "fid_lenet_best"
ROUNDS, EVALUATE_EVERY, EVALUATE_AT = 270, 30, (10,)
FIXED = {"width": 1 / 16}
RANDOM_TRIALS, TRIALS = 24, 48
AT_ONCE = 2
PROCESSES = 2

Curve = list[tuple[float, float]]
"""The compute spent until each evaluation, and the best objective so far."""


class Job:
    """A training as a trial of the search; what it takes is counted in updates of a batch."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._spent = 0.0

    def advance(self) -> tuple[dict[str, Any], float]:
        """What the trial reports next; a training that diverges has failed, as in a study."""
        try:
            report = dict(self._training.advance())
        except NonFiniteLossError as error:
            return {FAILURE: str(error), "round": self._training.round, "done": True}, 0.0
        took, self._spent = report["inner_updates"] - self._spent, report["inner_updates"]
        return report | {"done": self._training.is_done}, took


class Search:
    """One search with one seed."""

    def __init__(
        self,
        protocol: Protocol,
        folder: Path,
        seed: int,
        sampler: str,
        scheduler: str,
        trials: int,
        first_trials: Sequence[FirstTrial] = (),
    ) -> None:
        self.folder = folder
        self.protocol = protocol
        self.space = GradNorm("laptop")
        self.seed = seed
        self.num_first = len(first_trials)
        self.evaluator = Evaluator(protocol, folder.parent, torch.device("cpu"))
        memory = create_study("search", InMemoryStorage(), ("minimize",), first_trials)
        self.searcher = OptunaSearcher(memory, (OBJECTIVE,), self.spec, self.num_first + trials, sampler, seed)
        grace = self.space.scale.grace
        self.scheduler = make_scheduler(
            scheduler, OBJECTIVE, "minimize", ROUNDS, EVALUATE_EVERY, (), None, EVALUATE_AT, grace
        )

    def spec(self, trial: Any, first_trial: str | None = None) -> TrialSpec:
        """A trial as a study would run it, with the classifier's distance alone."""
        settings = {
            **self.space.scale.fixed,
            **FIXED,
            **self.space.suggest(trial).config,
            "seed": self.seed + trial.number,
        }
        return TrialSpec(
            number=trial.number,
            method=self.space.method,
            config=method_class(self.space.method).Config(**settings).model_dump(mode="json"),
            first_trial=first_trial,
            rounds=ROUNDS,
            evaluate_every=EVALUATE_EVERY,
            evaluate_at=EVALUATE_AT,
            protocol=self.protocol,
            objective=OBJECTIVE,
            cache_dir=str(self.folder.parent),
            folder=str(self.folder / str(trial.number)),
        )

    def run(self) -> Curve:
        """Search to the end; the first trials are in no point."""
        points, spent, best = [], {}, float("inf")
        for name, _, report in run(self.searcher, self.scheduler, self._start, AT_ONCE):
            if int(name[1:]) < self.num_first:  # t000000 and so on, in the order of suggestion
                continue
            spent[name] = report.get("inner_updates", spent.get(name, 0.0))
            best = min(best, report.get(OBJECTIVE, best))
            points.append((sum(spent.values()), best))
        return points

    def _start(self, config: dict[str, Any]) -> Job:
        return Job(Training(TrialSpec(**config["spec"]), self.evaluator, torch.device("cpu")))


@dataclass(frozen=True)
class Outcome:
    """The curves of both searches, and the best first trial."""

    seed: int
    random: Curve
    searched: Curve
    first: float


def first_trials(search: Search) -> Iterator[float]:
    """The objective of each first trial, trained to its end."""
    for number, first in enumerate(search.space.first_trials()):
        training = Training(
            search.spec(FixedTrial(dict(first.params), 1000 + number), first.name),
            search.evaluator,
            torch.device("cpu"),
        )
        while not training.is_done:
            training.advance()
        yield training.report[OBJECTIVE]


def with_seed(protocol_json: str, cache: Path, seed: int) -> Outcome:
    """Everything with one seed, in a process of its own."""
    torch.set_num_threads(1)
    protocol = Protocol.model_validate_json(protocol_json)

    def search(name: str, *how: Any) -> Search:
        return Search(protocol, cache / f"{name}-{seed}", seed, *how)

    random = search("random", "random", "none", RANDOM_TRIALS)
    searched = search("tpe", "tpe", "asha", TRIALS, GradNorm("laptop").first_trials())
    return Outcome(seed, random.run(), searched.run(), min(first_trials(searched)))


def main() -> None:
    """Per seed: what each search found, and how much of random search's compute the other took to be as good."""
    shares, beaten = [], 0
    with tempfile.TemporaryDirectory() as folder:
        protocol = Protocol(dataset="digits", measures=(FidelitySettings(num_samples=1024),))
        prepared = prepare_protocol(protocol, Path(folder))
        noise = prepared.references["fid_lenet_noise"]
        print(f"fid_lenet on the digits, where noise has {noise:.0f}; compute in updates of a batch", flush=True)
        processes = ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"))
        search_with = partial(with_seed, prepared.protocol.model_dump_json(), Path(folder))
        for found in processes.map(search_with, SEEDS):
            budget, goal = found.random[-1]
            used, best = found.searched[-1]
            reached = next((compute for compute, value in found.searched if value <= goal), float("inf"))
            shares.append(reached / budget)
            beaten += best < found.first
            print(
                f"seed {found.seed}: first trials {found.first:.1f}; random search {goal:.1f} after {budget:.0f}; "
                f"tpe + asha {best:.1f} after {used:.0f}, as good as random search after {reached:.0f} "
                f"({shares[-1]:.2f} of its compute)",
                flush=True,
            )
    print(f"the search beats every first trial with {beaten} of {len(SEEDS)} seeds")
    print(f"median share of random search's compute: {sorted(shares)[len(shares) // 2]:.2f}")
