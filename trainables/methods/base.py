"""The contract of a method: what the trial, the evaluator and the tests expect of every system."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from trainables.data.dataset import Dataset

State = dict[str, Any]


class MethodConfig(BaseModel):
    """Settings of a method: JSON in, JSON out; an unknown name or a value out of range is refused.

    Together with the data set it determines a run: everything random derives from `seed`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(default=0, ge=0, description="the source of everything random in the method")


class NonFiniteLossError(RuntimeError):
    """Training has diverged: a loss is NaN or infinite. Running the trial again cannot help."""


class Method(ABC):
    """A generative model and the way it is trained, in rounds.

    A subclass is made from a config of its `Config`, a data set and a device; it does nothing expensive
    before the first round. It draws random numbers from `self.generator` alone (and from the global
    generator inside `seeded_networks`), so that its state is complete.
    """

    Config: ClassVar[type[MethodConfig]]
    progress_metrics: ClassVar[tuple[str, ...]] = ()
    """Metrics of a round that are summed, not averaged, over the rounds between two reports."""

    def __init__(self, config: MethodConfig, dataset: Dataset, device: torch.device) -> None:
        self.dataset = dataset
        self.device = device
        self.generator = torch.Generator().manual_seed(config.seed)

    @abstractmethod
    def train_round(self) -> dict[str, float]:
        """Train for one round and return what is worth a curve.

        Raises `NonFiniteLossError` when a loss is not finite.
        """

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Make `n` new images `(n, C, H, W)` in [-1, 1] from the random numbers of `generator` (on the CPU).

        Of a data set of points, `n` new points `(n, d)`.
        """

    def samples_to_evaluate(self, n: int, generator: torch.Generator) -> Tensor:
        """The `n` images that metrics are computed on; new ones unless a document says otherwise."""
        return self.sample(n, generator)

    def score(self, x: Tensor) -> Tensor | None:
        """Score images `(n, C, H, W)`: `(n,)`, higher = more in-distribution; None without such a score.

        The scores of points are logits: `sigmoid(score)` is the probability that a point is real.
        """
        return None

    def moved_points(self) -> tuple[Tensor, Tensor] | None:
        """Points that the last round moved, before and after, for a picture; None where nothing is moved."""
        return None

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """The networks that `sample` needs, by name: with their weights and the config, a new object samples alike."""

    @abstractmethod
    def state_dict(self) -> State:
        """Everything that the next round depends on: networks, optimisers, pools, counters, random state.

        Tensors and plain types only.
        """

    @abstractmethod
    def load_state_dict(self, state: State) -> None:
        """Go on from `state`: what follows equals, bit for bit on the CPU, what would have followed."""


def require_finite(losses: dict[str, float], round_number: int) -> dict[str, float]:
    """Return `losses`, or raise `NonFiniteLossError` naming the first that is NaN or infinite."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise NonFiniteLossError(f"{name} became {value} in round {round_number}")
    return losses


@contextmanager
def seeded_networks(seed: int) -> Iterator[None]:
    """Build networks inside: their initial weights follow from `seed`, the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
