"""A variational autoencoder and a GAN with one decoder (Larsen et al. 2015; [Kitov], "Combining VAE and GAN").

The decoder is the generator of the GAN. Reconstructions are compared by a layer of the discriminator, not by pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.adversarial_losses import non_saturating
from trainables.data.dataset import Dataset
from trainables.methods import batchwise
from trainables.methods.abilities import Reconstructs, Scores
from trainables.methods.autoencoding import Autoencoding, AutoencodingConfig
from trainables.methods.base import seeded_networks
from trainables.methods.scalars import Scalars, as_metrics
from trainables.networks.autoencoder import FeatureDiscriminator, conv_decoder, conv_encoder
from trainables.networks.batch_norm import gathering_nothing
from trainables.variational import divergence_from_prior, normal_cost, reparameterise

Arm = Literal["pixels", "features", "gan", "features_and_gan"]

LEARNED: dict[Arm, dict[str, frozenset[str]]] = {
    "pixels": {
        "encoder": frozenset({"prior", "reconstruction"}),
        "decoder": frozenset({"reconstruction"}),
        "discriminator": frozenset(),
    },
    "features": {
        "encoder": frozenset({"prior", "reconstruction"}),
        "decoder": frozenset({"reconstruction"}),
        "discriminator": frozenset({"gan"}),
    },
    "gan": {
        "encoder": frozenset(),
        "decoder": frozenset({"gan"}),
        "discriminator": frozenset({"gan"}),
    },
    "features_and_gan": {
        "encoder": frozenset({"prior", "reconstruction"}),
        "decoder": frozenset({"reconstruction", "gan"}),
        "discriminator": frozenset({"gan"}),
    },
}
"""Which losses update which network, in each of the four arms. In the first, reconstructions are compared by pixels."""


class VaeGanConfig(AutoencodingConfig):
    """The defaults are for small images; the paper's networks have more layers."""

    arm: Arm = Field("features_and_gan", description="a VAE, a VAE with the discriminator's features, a GAN, or all")
    gamma: float = Field(
        1e-2, gt=0, lt=1, description="weight of the features' mean error in the decoder's loss; the GAN's is 1 - gamma"
    )
    pixel_std: float = Field(0.3, gt=0, description="deviation of a pixel in [-1, 1], where pixels are compared")
    reconstructions_are_fakes: bool = Field(
        True, description="whether the discriminator sees reconstructions besides samples"
    )
    balance: bool = Field(False, description="whether a network that is far ahead is not updated (the authors' rule)")
    equilibrium: float = Field(0.68, gt=0, description="of the balance: a cost of about ln 2 is chance")
    margin: float = Field(0.35, gt=0, description="of the balance: how far a cost may be from the equilibrium")
    width: float = Field(0.5, gt=0, le=4, description="multiplies a DCGAN's 64 maps and more")
    encoder_units: int = Field(128, ge=1, description="of the encoder's hidden layer after the convolutions")
    discriminator_units: int = Field(64, ge=1, description="the same for the discriminator")
    latent_dim: int = Field(16, ge=1, description="numbers of a code")
    lr: float = Field(3e-4, gt=0, le=1, description="Adam, all three networks")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first decay; the second is 0.999")
    batch_size: int = Field(64, ge=2, le=4096)

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        small = {"width": 1 / 16, "encoder_units": 8, "discriminator_units": 8, "latent_dim": 3, "batch_size": 16}
        return cls(**{**small, **settings})


class VaeGan(Autoencoding):
    """A round is one update of each network, all by the same forward passes.

    Real images, reconstructions and samples are normalised apart, each by its own batch. No loss of reconstructions
    updates the discriminator: it would make its features constant, and so all reconstructions perfect.

    The arm "gan" cannot reconstruct, and the arm "pixels" cannot score.
    """

    Config = VaeGanConfig
    config: VaeGanConfig
    state = (
        "round",
        "encoder",
        "decoder",
        "discriminator",
        "encoder_optimizer",
        "decoder_optimizer",
        "discriminator_optimizer",
        "real_batches",
    )

    def __init__(self, config: VaeGanConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        shape, width = dataset.shape, config.width
        with seeded_networks(config.seed):
            encoder = conv_encoder(shape, config.latent_dim, width, config.encoder_units)
            decoder = conv_decoder(shape, config.latent_dim, width)
            discriminator = FeatureDiscriminator(shape, width, config.discriminator_units)
        self.encoder, self.decoder = encoder.to(device).eval(), decoder.to(device).eval()
        needed = {Reconstructs: "encoder", Scores: "discriminator"}
        self.lacks = tuple(ability for ability, network in needed.items() if not LEARNED[config.arm][network])
        self.discriminator = discriminator.to(device).eval()
        self.encoder_optimizer = self._adam(self.encoder)
        self.decoder_optimizer = self._adam(self.decoder)
        self.discriminator_optimizer = self._adam(self.discriminator)

    def _adam(self, network: nn.Module) -> torch.optim.Adam:
        return torch.optim.Adam(network.parameters(), lr=self.config.lr, betas=(self.config.beta1, 0.999), fused=True)

    def train_round(self) -> Scalars:
        """One update of each network that the arm has and the balance allows.

        `loss_prior` and `loss_reconstruction` are in nats; the latter is of pixels or of features. `cost_real` and
        `cost_fake` add up to `loss_discriminator`.
        """
        self.round += 1
        x = self._real_batch()
        noise, codes = self._codes(len(x), self.rng), self._codes(len(x), self.rng)
        for network in self.all_networks().values():
            network.train()
        try:
            losses = self.losses(x, noise, codes)
            updated = self._update(losses)
        finally:
            for network in self.all_networks().values():
                network.eval()
        metrics = {_metric(name): loss for name, loss in losses.items()}
        return as_metrics({**metrics, **updated}, self.round)

    def losses(self, x: Tensor, noise: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """The losses of the arm on real images `x`, by name, as scalars.

        `noise` makes the codes of `x`, and `codes` are those of the samples. The GAN's loss is `discriminator`, the sum
        of the costs of real and of fake images, and for the decoder `generator`, which has the form that does not
        saturate ([Tabak 2016], eq. 2).
        """
        learned, found = LEARNED[self.config.arm], {}
        reconstructed = None
        if learned["encoder"]:
            mean, log_variance = self.encoder(x)
            reconstructed = self.to_images(self.decoder(reparameterise(mean, log_variance, noise)))
            found["prior"] = divergence_from_prior(mean, log_variance).mean()
        if reconstructed is not None and not learned["discriminator"]:
            found["reconstruction"] = normal_cost(reconstructed, x, self.config.pixel_std).mean()
            return found
        real_logits, features = self.discriminator(x)
        with gathering_nothing(self.discriminator):  # its running statistics are of real images only
            fakes = [self.discriminator(self.to_images(self.decoder(codes)))[0]]
            if reconstructed is not None:
                logits, features_again = self.discriminator(reconstructed)
                found["reconstruction"] = normal_cost(features_again, features).mean()
                fakes += [logits] if self.config.reconstructions_are_fakes else []
        found["cost_real"] = F.softplus(-real_logits).mean()
        found["cost_fake"] = torch.stack([F.softplus(logits).mean() for logits in fakes]).mean()
        found["discriminator"] = found["cost_real"] + found["cost_fake"]
        found["generator"] = torch.stack([non_saturating(logits) for logits in fakes]).mean()
        return found

    def objectives(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What each network of the arm minimises, by its name; no gradient for another network is to be used."""
        learned, gamma = LEARNED[self.config.arm], self.config.gamma
        found = {}
        if learned["encoder"]:
            found["encoder"] = losses["prior"] + losses["reconstruction"]
        if learned["discriminator"]:
            found["discriminator"] = losses["discriminator"]
        if learned["decoder"] == {"reconstruction"}:
            found["decoder"] = losses["reconstruction"]
        elif learned["decoder"] == {"gan"}:
            found["decoder"] = losses["generator"]
        else:
            mean_error = losses["reconstruction"] / self.discriminator.num_features
            found["decoder"] = gamma * mean_error + (1 - gamma) * losses["generator"]
        return found

    def _update(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Update the networks; returns the share of updates that the balance allowed, 0 or 1, if it is on."""
        objectives, told = self.objectives(losses), {}
        if self.config.balance and "discriminator" in objectives:
            costs = losses["cost_real"].item(), losses["cost_fake"].item()
            allowed = balanced(*costs, self.config.equilibrium, self.config.margin)
            for name, is_allowed in zip(("discriminator", "decoder"), allowed, strict=True):
                told[f"updated_{name}"] = float(is_allowed)
                if not is_allowed:
                    del objectives[name]
        networks = self.all_networks()
        gradients = {
            # All gradients come first, because a step changes the weights that the others go through.
            name: torch.autograd.grad(objective, list(networks[name].parameters()), retain_graph=True)
            for name, objective in objectives.items()
        }
        for name, of_network in gradients.items():
            for parameter, gradient in zip(networks[name].parameters(), of_network, strict=True):
                parameter.grad = gradient
            getattr(self, f"{name}_optimizer").step()
        return told

    def to_images(self, decoded: Tensor) -> Tensor:
        return decoded.tanh()

    def all_networks(self) -> dict[str, nn.Module]:
        """The three networks by name, also those that the arm does not train."""
        return {"encoder": self.encoder, "decoder": self.decoder, "discriminator": self.discriminator}

    def score(self, x: Tensor) -> Tensor:
        """The discriminator's logits `(n,)`, which tell real images from the decoder's."""
        return batchwise.outputs(lambda batch: self.discriminator(batch)[0], x, self.device)

    def networks(self) -> dict[str, nn.Module]:
        """The networks that the arm trains."""
        return {name: network for name, network in self.all_networks().items() if LEARNED[self.config.arm][name]}


def _metric(loss: str) -> str:
    return loss if loss.startswith("cost_") else f"loss_{loss}"


def balanced(real_cost: float, fake_cost: float, equilibrium: float, margin: float) -> tuple[bool, bool]:
    """Whether the discriminator and the decoder are updated, by the discriminator's costs on real and fake images.

    The discriminator is not if one of its costs is below the equilibrium by more than the margin, the decoder is not if
    one is above by more; if that leaves none, both are (the rule in the authors' code).
    """
    costs = (real_cost, fake_cost)
    discriminator = min(costs) >= equilibrium - margin
    decoder = max(costs) <= equilibrium + margin
    return (discriminator, decoder) if discriminator or decoder else (True, True)
