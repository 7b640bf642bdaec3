"""What a trained method can do. A method has the abilities whose functions it defines, and measures need abilities."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from trainables.methods.latents import Distribution


@runtime_checkable
class Samples(Protocol):
    """Makes new examples."""

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Make `n` new images `(n, C, H, W)` in [-1, 1], or points `(n, d)`, from the random numbers of `rng`."""
        ...


@runtime_checkable
class ChoosesSamples(Samples, Protocol):
    """Chooses the samples that it is evaluated by, because its document does not evaluate new samples."""

    def samples_to_evaluate(self, n: int, rng: torch.Generator) -> Tensor:
        """The `n` samples that metrics are computed on, of the same shape and range as `sample` returns."""
        ...


@runtime_checkable
class Follows(Protocol):
    """Makes samples of the same latents in each evaluation, so that one can see how far each sample moves."""

    def follow(self, n: int) -> Tensor:
        """Make `n` samples, as `sample` does, of latents that are the same at every call."""
        ...


@runtime_checkable
class Generates(Protocol):
    """Makes each sample from a latent of its own, which can be searched."""

    def draw_latents(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` latents of the prior, `(n, d)`, from the random numbers of `rng`."""
        ...

    def generate(self, latents: Tensor) -> Tensor:
        """The samples `(n, *shape)` of latents `(n, d)`, each of its own latent alone; gradients flow back to it."""
        ...

    def prior(self) -> Distribution:
        """The distribution of latents."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Finds the latent of an example without a search."""

    def encode(self, x: Tensor) -> Tensor:
        """The latents `(n, d)` of examples `(n, *shape)`."""
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
        """Restore degraded images `(n, C, h, w)` in [-1, 1]; the result has the shape of the originals."""
        ...


@runtime_checkable
class Reconstructs(Protocol):
    """Encodes examples and decodes them again."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """The reconstructions of `x` `(n, *shape)`, of the same shape."""
        ...


@runtime_checkable
class Moves(Protocol):
    """Generates by moving points; pictures show the moves."""

    def moved(self) -> tuple[Tensor, Tensor]:
        """The points `(n, d)` of the last round, before and after they were moved."""
        ...
