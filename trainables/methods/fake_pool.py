"""The pool of generated images that a discriminator-only model is fine-tuned on ([Yesilcimen 2022], algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def add_to_pools(method: Any, fakes: Tensor, score: Callable[[Tensor], Tensor]) -> None:
    """Append a batch to the `pool` of a `Stackable` method, or `(K, B, ...)` to those of its members.

    If they then exceed their limit, each keeps the images with the highest `score`.
    """
    pools = [member.pool for member in method.members]
    for pool, own in zip(pools, method.by_member(fakes), strict=True):
        pool.add(own)
    if pools[0].exceeds_limit:
        scores = score(method.each(lambda member: member.pool.images))
        for pool, own in zip(pools, method.by_member(scores), strict=True):
            pool.keep_best(own)


class FakePool:
    """The `size` images with the highest scores.

    Scoring the whole pool costs more than generating a batch. So the pool may outgrow `size` by the share `slack`
    before it is scored and cut. With slack 0 that happens at each batch once the pool is full, as in the document.
    """

    def __init__(self, size: int, slack: float, batch_size: int, shape: tuple[int, ...], device: torch.device) -> None:
        self.size = size
        self.limit = size + int(size * slack)
        self._images = torch.empty(self.limit + batch_size, *shape, device=device)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def images(self) -> Tensor:
        """The images of the pool `(len(pool), C, H, W)`, a view."""
        return self._images[: self._length]

    def add(self, fakes: Tensor) -> None:
        """Append a batch."""
        self._fill(fakes, self._length)

    @property
    def exceeds_limit(self) -> bool:
        """Whether the pool has to be scored and cut before it can take another batch."""
        return self._length > self.limit

    def keep_best(self, scores: Tensor) -> None:
        """Keep the `size` images with the highest `scores` `(len(pool),)`."""
        self._fill(self.images[scores.topk(self.size).indices], 0)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw `n` images from the pool, uniformly and with replacement."""
        indices = torch.randint(self._length, (n,), generator=rng, device=rng.device)
        return self.images[indices.to(self._images.device)]

    def clear(self) -> None:
        """Drop all images."""
        self._length = 0

    def state_dict(self) -> Tensor:
        """The images of the pool, a copy."""
        return self.images.clone()

    def load_state_dict(self, images: Tensor) -> None:
        """Replace the pool by `images`."""
        self._fill(images, 0)

    def _fill(self, images: Tensor, start: int) -> None:
        self._length = start + len(images)
        self._images[start : self._length] = images
