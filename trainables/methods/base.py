"""The contract of a method: what a trial and the tests expect of every system."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from trainables.data.dataset import Dataset
from trainables.methods import METHODS
from trainables.registry import resolve

State = dict[str, Any]

PLAIN = (bool, int, float, str)

RNG = "rng"
"""The state of the random generator, which belongs to the state of every method."""


class MethodConfig(BaseModel):
    """Settings of a method: JSON in, JSON out; an unknown name or a value out of range is refused.

    Together with the data set it determines a run: everything random derives from `seed`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(default=0, ge=0, description="the source of everything random in the method")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        """A config whose rounds take milliseconds, for tests; `settings` override. The defaults, if not overridden."""
        return cls(**settings)


class NonFiniteLossError(RuntimeError):
    """Training has diverged: a loss is NaN or infinite. Running the trial again cannot help."""


class Method(ABC):
    """A system and the way it is trained, in rounds. What it can do then are its abilities (`methods.abilities`).

    A subclass is made from a config of its `Config`, a data set and a device; it does nothing expensive before the
    first round, and raises `InputError` for a data set that it is not for. Everything random comes from `rng`, on
    the CPU, except initial weights, which are drawn inside `seeded_networks`.
    """

    Config: ClassVar[type[MethodConfig]]
    state: ClassVar[tuple[str, ...]]
    """The attributes that the next round depends on, besides `rng`.

    They are networks, optimisers, other objects with `state_dict` and `load_state_dict`, tensors, or plain values:
    numbers, strings, None, and lists and dictionaries of these. All but numbers, strings and None are there, if
    empty, from the start: where a tensor is then, on the device or on the CPU, is where it is put again.
    """
    progress_metrics: ClassVar[tuple[str, ...]] = ()
    """Metrics of a round that are summed, not averaged, over the rounds between two reports."""

    def __init__(self, config: MethodConfig, dataset: Dataset, device: torch.device) -> None:
        self.config = config
        self.dataset = dataset
        self.device = device
        self.rng = torch.Generator().manual_seed(sub_seed(config.seed, "training"))

    @abstractmethod
    def train_round(self) -> dict[str, float]:
        """Train for one round and return what is worth a curve.

        Raises `NonFiniteLossError` when a loss is not finite.
        """

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """The networks that the abilities need, by name: a new object with this config and their weights does alike."""

    def finish(self) -> None:
        """Give up what further rounds alone would need: what optimisers hold, and whatever a subclass adds.

        Call it after the last evaluation, and the last checkpoint is small. The method can do what it could, its state
        can be loaded as any other, and no round follows.
        """
        for name in self.state:
            if isinstance(optimizer := getattr(self, name), torch.optim.Optimizer):
                optimizer.state.clear()

    def state_dict(self) -> State:
        """Everything that the next round depends on, as tensors and plain values: no copies, so save them before it."""
        return {RNG: self.rng.get_state()} | {name: _state_of(getattr(self, name)) for name in self.state}

    def load_state_dict(self, state: State) -> None:
        """Go on from `state`: what follows equals, bit for bit on the CPU, what would have followed.

        `state` may be on any device, and becomes a part of the method: load it once. Raises `ValueError` if it is
        not the state of a method built alike.
        """
        if state.keys() != {RNG, *self.state}:
            raise ValueError(f"the state has {sorted(state)}, and {type(self).__name__} {sorted([RNG, *self.state])}")
        for name in self.state:
            setattr(self, name, _restored(name, getattr(self, name), state[name]))
        self.rng.set_state(state[RNG].cpu())


def _state_of(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    return value.state_dict() if hasattr(value, "state_dict") else value


def _restored(name: str, present: Any, saved: Any) -> Any:
    """What the attribute `name`, now `present`, is to be."""
    if hasattr(present, "load_state_dict") and saved is not None:
        present.load_state_dict(saved)
        return present
    if isinstance(present, Tensor) and isinstance(saved, Tensor):
        if not present.requires_grad:
            return saved.to(present.device)
        # An optimiser holds this very object.
        present.data.copy_(saved)
        return present
    if type(present) is not type(saved) and not {type(present), type(saved)} <= {type(None), *PLAIN}:
        kinds = f"of type {type(saved).__name__} and the method's of type {type(present).__name__}"
        raise ValueError(f"the state's {name!r} is {kinds}")
    return saved


def method_class(name: str) -> type[Method]:
    """The method of this name; raises `InputError`."""
    return resolve("method", name, METHODS, Method)  # type: ignore[type-abstract]


def sub_seed(seed: int, name: str) -> int:
    """A seed below 2^32 that follows from `seed`, for what `name` says: streams of different names do not meet."""
    # torch's generator on the CPU looks at the lower 32 bits alone.
    return int.from_bytes(hashlib.sha256(f"{name} {seed}".encode()).digest()[:4])


def require_finite(losses: dict[str, float], round_number: int) -> dict[str, float]:
    """Return `losses`, or raise `NonFiniteLossError` naming the first that is NaN or infinite."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise NonFiniteLossError(f"{name} became {value} in round {round_number}")
    return losses


@contextmanager
def seeded_networks(seed: int) -> Iterator[None]:
    """Build networks inside, on the CPU: their initial weights follow from `seed`, a config's.

    The global generator is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would seed the generators of all devices, which the fork does not restore.
        torch.default_generator.manual_seed(sub_seed(seed, "networks"))
        yield
