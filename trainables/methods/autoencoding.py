"""What methods with an encoder and a decoder have in common: new samples, reconstructions, codes."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.errors import InputError
from trainables.methods import batchwise
from trainables.methods.base import Method, MethodConfig
from trainables.methods.latents import Distribution


class AutoencodingConfig(MethodConfig):
    """The settings that all methods with codes have."""

    latent_dim: int = Field(20, ge=1, description="numbers of a code")
    batch_size: int = Field(100, ge=2, le=4096)


class Autoencoding(Method):
    """Images are decoded from standard normal codes; they are reconstructed from the means of their codes.

    A subclass sets `encoder` and `decoder` (`trainables.networks.autoencoder`), which are in evaluation mode outside of
    updates.
    """

    needs_data = False
    config: AutoencodingConfig
    encoder: nn.Module
    decoder: nn.Module

    def __init__(self, config: AutoencodingConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        if len(dataset.shape) != 3:
            name = type(self).__name__.lower()
            raise InputError(f"{name} is for images, and {dataset.name!r} has points: choose another method.")
        self.real_batches = EpochSampler(len(dataset.train), config.batch_size, self.rng)
        self.round = 0

    def to_images(self, decoded: Tensor) -> Tensor:
        """What the decoder returns as images in [-1, 1]."""
        return decoded.clamp(-1.0, 1.0)

    def encode(self, x: Tensor) -> Tensor:
        """The means `(n, latent_dim)` of the codes of images `(n, *shape)`."""
        return batchwise.outputs(lambda batch: self.encoder(batch)[0], x, self.device).clone()

    def decode(self, codes: Tensor) -> Tensor:
        """The images `(n, *shape)` in [-1, 1] of codes `(n, latent_dim)`."""
        return batchwise.outputs(lambda batch: self.to_images(self.decoder(batch)), codes, self.device).clone()

    def draw_latents(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` codes of the prior, on the device of `rng`."""
        return torch.randn(n, self.config.latent_dim, generator=rng, device=rng.device)

    def prior(self) -> Distribution:
        """Codes are standard normal."""
        return "normal"

    def generate(self, latents: Tensor) -> Tensor:
        """As `decode`, with gradients."""
        return self.to_images(self.decoder(latents))

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` images in [-1, 1], without the noise that the likelihood puts on each pixel."""
        size = self.config.batch_size
        return batchwise.make(n, size, lambda: self.decode(self._codes(size, rng)))

    def reconstruct(self, x: Tensor) -> Tensor:
        """The images that are decoded from the means of the codes of `x`."""
        return self.decode(self.encode(x))

    def _codes(self, n: int, rng: torch.Generator) -> Tensor:
        """Codes `(n, latent_dim)` of the prior."""
        return self.draw_latents(n, rng).to(self.device)

    def _real_batch(self) -> Tensor:
        return self.training_examples(self.real_batches.next())
