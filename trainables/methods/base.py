"""The contract of a method: what trials and tests expect of every method."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from trainables.data.dataset import Dataset
from trainables.data.gathering import examples_at, labels_at
from trainables.methods import METHODS
from trainables.optimizers import without_compiler
from trainables.registry import resolve

without_compiler()

State = dict[str, Any]

PLAIN = (bool, int, float, str)

RNG = "rng"
"""The key of the random generator's state, which is a part of every method's state."""


class MethodConfig(BaseModel):
    """Settings of a method, from and to JSON. Unknown names and values out of range are refused.

    The config and the data set determine a run: everything random follows from `seed`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(default=0, ge=0, description="the source of everything random in the method")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        """A config whose rounds take milliseconds, for tests; `settings` override it. By default, the defaults."""
        return cls(**settings)


class NonFiniteLossError(RuntimeError):
    """Training has diverged: a loss is NaN or infinite. Running the trial again would give the same."""


class Method(ABC):
    """A system that is trained in rounds. Its abilities (`methods.abilities`) say what it can do when it is trained.

    A subclass is made from a config, a data set and a device. It does nothing expensive before the first round, and
    raises `InputError` for a data set that it cannot train on. Everything random comes from `rng`, whose numbers are
    drawn on its own device, the method's; except initial weights, which are drawn inside `seeded_networks`.
    """

    Config: ClassVar[type[MethodConfig]]
    state: ClassVar[tuple[str, ...]]
    """The attributes that the next round depends on, besides `rng`.

    They are networks, optimisers, other objects with `state_dict` and `load_state_dict`, tensors, or plain values:
    numbers, strings, None, and lists and dictionaries of these. Tensors and objects exist from the start, even if they
    are empty: a tensor is restored to the device that it is on then.
    """
    needs_data: ClassVar[bool] = True
    """Whether a trained method reads the data set when it samples or scores; if not, its exported file is enough."""
    exported: ClassVar[tuple[str, ...]] = ()
    """The tensors, besides the networks, that sampling and scoring need."""
    round_metrics: ClassVar[tuple[str, ...] | None] = None
    """All metrics of a round, so that a claim about another one is refused; None: a claim may name any."""
    lacks: tuple[type, ...] = ()
    """Abilities that the class has and this object, by its config, does not: optional measures leave it out."""
    progress_metrics: ClassVar[tuple[str, ...]] = ()
    """Metrics of a round that are summed over all rounds so far; the others are averaged between evaluations."""

    @classmethod
    def prepare(cls, config: Any, dataset: str, cache_dir: Path) -> Any:
        """Put into the cache what `config` names; return the config that trials get. For the driver: may train.

        The data set has been prepared before. Most methods need nothing: the config stays as it is. What is returned
        may be prepared again, and does not change then. Raises `InputError` if something is not available.
        """
        return config

    def __init__(self, config: MethodConfig, dataset: Dataset, device: torch.device) -> None:
        self.config = config
        self.dataset = dataset
        self.device = device
        self.rng = torch.Generator(device).manual_seed(sub_seed(config.seed, "training"))

    @abstractmethod
    def train_round(self) -> Mapping[str, Tensor | float]:
        """Train for one round and return its metrics: numbers, or on an accelerator tensors `()`, so that nobody waits.

        Raises `NonFiniteLossError` when a loss is not finite; of tensors, their reader does (`methods.scalars`).
        """

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """The networks that the abilities need, by name. A new object with these weights and this config is alike."""

    def training_examples(self, indices: Tensor) -> Tensor:
        """The training examples at `indices`, of any shape: floats, images in [-1, 1], on the method's device."""
        return examples_at(self.dataset.train, indices, self.device)

    def training_labels(self, indices: Tensor) -> Tensor:
        """The labels at `indices`, of any shape, on the method's device."""
        return labels_at(self.dataset.train, indices, self.device)

    def finish(self) -> None:
        """Drop what only further rounds would need: the state of optimisers, and what a subclass adds.

        Called after the last evaluation, so that the last checkpoint is small. The method keeps its abilities, and its
        state can be loaded like any other, but no round can follow.
        """
        for name in self.state:
            if isinstance(optimizer := getattr(self, name), torch.optim.Optimizer):
                optimizer.state.clear()

    def state_dict(self) -> State:
        """Everything that the next round depends on, as tensors and plain values. No copies: save them before it."""
        return {RNG: self.rng.get_state()} | {name: _state_of(getattr(self, name)) for name in self.state}

    def load_state_dict(self, state: State) -> None:
        """Continue from `state`: on the CPU, all later rounds are the same, bit for bit, as without the interruption.

        `state` may be on any device, and have been saved on another kind of device. Then later random numbers follow
        from it, but are others. It becomes a part of the method, so load it only once. Raises `ValueError` if it
        is not the state of such a method.
        """
        if state.keys() != {RNG, *self.state}:
            raise ValueError(f"the state has {sorted(state)}, and {type(self).__name__} {sorted([RNG, *self.state])}")
        for name in self.state:
            setattr(self, name, _restored(name, getattr(self, name), state[name]))
        _restore_generator(self.rng, state[RNG].cpu())


def _state_of(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    return value.state_dict() if hasattr(value, "state_dict") else value


def _restored(name: str, present: Any, saved: Any) -> Any:
    """The value that attribute `name` gets; `present` is its value now."""
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


def _restore_generator(rng: torch.Generator, state: Tensor) -> None:
    """Put `rng` into `state`. The state of another kind of device, which has another length, is its seed."""
    if len(state) == len(rng.get_state()):
        rng.set_state(state)
    else:
        rng.manual_seed(sub_seed(0, state.numpy().tobytes().hex()))


def method_class(name: str) -> type[Method]:
    """The method of this name; raises `InputError`."""
    return resolve("method", name, METHODS, Method)  # type: ignore[type-abstract]


def sub_seed(seed: int, name: str) -> int:
    """A seed below 2^32 that follows from `seed` and `name`. Different names give independent streams."""
    # torch's generator on the CPU uses only the lower 32 bits.
    return int.from_bytes(hashlib.sha256(f"{name} {seed}".encode()).digest()[:4])


def require_finite(losses: dict[str, Any], round_number: int) -> dict[str, Any]:
    """Return `losses`, or raise `NonFiniteLossError` naming the first that is NaN or infinite."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise NonFiniteLossError(f"{name} became {value} in round {round_number}")
    return losses


@contextmanager
def seeded_networks(seed: int) -> Iterator[None]:
    """Inside, networks are built on the CPU, and their initial weights follow from `seed`, the seed of a config.

    The state of the global random generator is restored.
    """
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would also seed the generators of GPUs, which the fork does not restore.
        torch.default_generator.manual_seed(sub_seed(seed, "networks"))
        yield
