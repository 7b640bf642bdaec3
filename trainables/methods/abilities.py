"""What a trained method can do. A method has the abilities whose functions it defines; measures ask for them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Samples(Protocol):
    """Makes new examples."""

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Make `n` new images `(n, C, H, W)` in [-1, 1], or points `(n, d)`, from the random numbers of `rng` (CPU)."""
        ...


@runtime_checkable
class ChoosesSamples(Samples, Protocol):
    """Says by which samples it is evaluated, where a document does not evaluate new ones."""

    def samples_to_evaluate(self, n: int, rng: torch.Generator) -> Tensor:
        """The `n` samples that metrics are computed on, as `sample` returns them."""
        ...


@runtime_checkable
class Follows(Protocol):
    """Makes the same samples again as training changes them, so that one can see how far each travels."""

    def follow(self, n: int) -> Tensor:
        """The `n` samples of latents that are the same at every call, as `sample` returns them."""
        ...


@runtime_checkable
class Scores(Protocol):
    """Tells in-distribution from out-of-distribution examples."""

    def score(self, x: Tensor) -> Tensor:
        """Score examples `(n, *shape)`: `(n,)`, higher = more in-distribution.

        Scores of points are logits: `sigmoid(score)` is the probability that a point is real.
        """
        ...


@runtime_checkable
class Classifies(Protocol):
    """Tells the classes of a data set apart."""

    def classify(self, x: Tensor) -> Tensor:
        """Class probabilities `(n, K)` of images `(n, C, H, W)` in [-1, 1]."""
        ...


@runtime_checkable
class Restores(Protocol):
    """Turns degraded images into whole ones."""

    def restore(self, degraded: Tensor) -> Tensor:
        """The restored images of degraded ones `(n, C, h, w)` in [-1, 1], shaped like the originals."""
        ...


@runtime_checkable
class Reconstructs(Protocol):
    """Encodes examples and decodes them again."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """The reconstructions of `x` `(n, *shape)`, shaped like it."""
        ...


@runtime_checkable
class Moves(Protocol):
    """Generates by moving points, which a picture can show."""

    def moved(self) -> tuple[Tensor, Tensor]:
        """The points `(n, d)` that the last round moved, before and after."""
        ...
