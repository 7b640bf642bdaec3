"""The variational autoencoder (Kingma and Welling 2014), which [Kitov] recalls before it is joined with a GAN."""

from __future__ import annotations

from typing import Any, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.data.dataset import Dataset
from trainables.methods import batchwise
from trainables.methods.autoencoding import Autoencoding, AutoencodingConfig
from trainables.methods.base import seeded_networks
from trainables.methods.scalars import Scalars, as_metrics
from trainables.methods.updates import training, update
from trainables.networks.autoencoder import conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from trainables.variational import bernoulli_cost, divergence_from_prior, normal_cost, reparameterise


class VaeConfig(AutoencodingConfig):
    """The defaults are for MNIST; for the 8x8 digits, 8 latent numbers and 200 hidden units are enough."""

    network: Literal["mlp", "conv"] = Field("mlp", description="perceptrons, or the mirror of a DCGAN")
    hidden_layers: int = Field(2, ge=0, description="of each perceptron; 0: encoder and decoder are affine")
    hidden_units: int = Field(400, ge=1, description="of each hidden layer")
    width: float = Field(0.5, gt=0, le=4, description="of the convolutions: multiplies a DCGAN's 64 maps and more")
    likelihood: Literal["bernoulli", "normal"] = Field("bernoulli", description="of a pixel, given the code")
    pixel_std: float = Field(0.2, gt=0, description="deviation of a pixel in [-1, 1], for the normal likelihood")
    lr: float = Field(1e-3, gt=0, le=1, description="Adam")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        return cls(**{"hidden_units": 8, "latent_dim": 3, "batch_size": 16, "width": 1 / 16, **settings})


class Vae(Autoencoding):
    """A round is one update of encoder and decoder on one batch."""

    Config = VaeConfig
    config: VaeConfig
    state = ("round", "encoder", "decoder", "optimizer", "real_batches")

    def __init__(self, config: VaeConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        shape, dim, layers = dataset.shape, config.latent_dim, (config.hidden_layers, config.hidden_units)
        with seeded_networks(config.seed):
            if config.network == "mlp":
                encoder, decoder = mlp_encoder(shape, dim, *layers), mlp_decoder(shape, dim, *layers)
            else:
                encoder = conv_encoder(shape, dim, config.width, config.hidden_units)
                decoder = conv_decoder(shape, dim, config.width)
        self.encoder, self.decoder = encoder.to(device).eval(), decoder.to(device).eval()
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=config.lr, fused=True)

    def train_round(self) -> Scalars:
        """One update. `loss_elbo` is minus the evidence lower bound in nats, the sum of the other two."""
        self.round += 1
        x = self._real_batch()
        noise = self._codes(len(x), self.rng)
        with training(self.encoder), training(self.decoder):
            mean, log_variance = self.encoder(x)
            decoded = self.decoder(reparameterise(mean, log_variance, noise))
            reconstruction = self._cost(decoded, x).mean()
            prior = divergence_from_prior(mean, log_variance).mean()
            update(self.optimizer, reconstruction + prior)
        parts = {"loss_elbo": reconstruction + prior, "loss_reconstruction": reconstruction, "loss_prior": prior}
        return as_metrics(parts, self.round)

    def score(self, x: Tensor) -> Tensor:
        """The evidence lower bound `(n,)`, in nats, with the mean of the code in the place of draws."""
        return batchwise.outputs(self._bound, x, self.device)

    def _bound(self, x: Tensor) -> Tensor:
        mean, log_variance = self.encoder(x)
        return -self._cost(self.decoder(mean), x) - divergence_from_prior(mean, log_variance)

    def _cost(self, decoded: Tensor, x: Tensor) -> Tensor:
        if self.config.likelihood == "bernoulli":
            return bernoulli_cost(decoded, (x + 1) / 2)
        return normal_cost(decoded, x, self.config.pixel_std)

    def to_images(self, decoded: Tensor) -> Tensor:
        if self.config.likelihood == "bernoulli":
            return decoded.sigmoid() * 2 - 1
        return super().to_images(decoded)

    def networks(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder, "decoder": self.decoder}
