"""The images that were generated last."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainables.data.tensors import to_floats, to_levels


class RecentImages(nn.Module):
    """The last `size` images that were added, oldest first, in 8 bits, on `device`.

    It is a module so that it can be exported with the networks. Its state is as large as what it holds.
    """

    def __init__(self, size: int, shape: tuple[int, ...], device: torch.device) -> None:
        super().__init__()
        self.size = size
        self.images = torch.empty(0, *shape, dtype=torch.uint8, device=device)

    def add(self, images: Tensor) -> None:
        """Add images `(n, C, H, W)`, clamped to [-1, 1]; the oldest ones make room."""
        self.images = torch.cat([self.images, to_levels(images)])[-self.size :]

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw `n` images, uniformly and with replacement."""
        return self.take(torch.randint(len(self.images), (n,), generator=rng, device=rng.device))

    def take(self, indices: Tensor) -> Tensor:
        """The images at `indices`, in [-1, 1]."""
        return to_floats(self.images[indices.to(self.images.device)])

    def newest(self, n: int) -> Tensor:
        """The last `n` images, or all if there are fewer, in [-1, 1]."""
        return to_floats(self.images[-n:])

    def clear(self) -> None:
        """Drop all images."""
        self.images = self.images[:0]

    def get_extra_state(self) -> Tensor:
        return self.images.clone()

    def set_extra_state(self, state: Tensor) -> None:
        self.images = state.to(self.images.device)[-self.size :]
