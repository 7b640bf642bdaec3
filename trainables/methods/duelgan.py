"""DuelGAN: one generator against two discriminators that duel (Wei et al. 2021, arXiv:2101.07524).

[Yesilcimen 2022] has its figures in table 4.3.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from trainables.data.dataset import Dataset
from trainables.duel import bump, draw_mix, duel_term
from trainables.methods.base import seeded_networks, sub_seed
from trainables.methods.gan import Gan, GanConfig
from trainables.methods.latents import Distribution
from trainables.methods.updates import update
from trainables.networks.discriminator import Discriminator


class DuelGanConfig(GanConfig):
    """The defaults are the settings of the authors' code; the networks are those of `gan`."""

    latent: Distribution = "normal"
    generator_lr: float = Field(1e-4, gt=0, le=1, description="Adam")
    discriminator_lr: float = Field(1e-4, gt=0, le=1, description="Adam, for both discriminators")
    beta1: float = Field(0.0, ge=0, lt=1, description="Adam's first decay")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's second decay")
    weight_decay: float = Field(0.0, ge=0, description="of Adam: an L2 term in the loss")
    duel: Literal["as_written", "as_released", "none"] = Field(
        "as_written",
        description="'as_released' adds the duel to the reported loss alone, since it has no gradient in the authors' "
        "code; 'none' leaves two discriminators that do not know of each other",
    )
    alpha: float = Field(0.3, ge=0, le=1, description="largest weight of disagreement about unrelated data")
    beta: float = Field(0.5, ge=0, description="largest weight of the duel")
    duel_rounds: int = Field(600, ge=1, description="rounds in which both weights rise from 0 and fall again")

    @model_validator(mode="after")
    def _duels_with_probabilities(self) -> DuelGanConfig:
        if self.loss not in ("saturating", "non_saturating"):
            raise ValueError("a duel compares probabilities: set loss to 'non_saturating' or 'saturating'")
        if self.generator_loss != "adversarial":
            raise ValueError("the generator of a duel plays against both: set generator_loss to 'adversarial'")
        if self.discriminator_step == "apart":
            raise ValueError("a duel mixes real and generated data: set discriminator_step to 'together'")
        return self

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        return super().tiny(**{"duel_rounds": 4, **settings})


class DuelGan(Gan):
    """A `Gan` with a second discriminator, from other initial weights; the generator's loss is the mean of both.

    What the mixes of real and generated data get is taken from the outputs of the unmixed batches, so BatchNorm
    normalises real and generated data apart here, too.
    """

    Config = DuelGanConfig
    config: DuelGanConfig
    state: ClassVar[tuple[str, ...]] = (*Gan.state, "second_discriminator")

    def __init__(self, config: DuelGanConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        with seeded_networks(sub_seed(config.seed, "second discriminator")):
            second = self._make_discriminator()
        self.second_discriminator = second.to(device).to(memory_format=torch.channels_last)
        # The two losses share no weights, so one optimiser for both does what one for each would do.
        self.discriminator_optimizer.add_param_group({"params": list(self.second_discriminator.parameters())})

    def _discriminators(self) -> tuple[Discriminator, Discriminator]:
        return self.discriminator, self.second_discriminator

    def _update_discriminator(self, generated: Tensor) -> dict[str, Tensor]:
        """Both discriminators; the metrics are means over the two, and `duel` is the term before its weight."""
        real = self._real_batch()
        of_real = [network(real) for network in self._discriminators()]
        of_fake = [self._judge(generated, network) for network in self._discriminators()]
        losses = [self.loss.discriminator(*outputs) for outputs in zip(of_real, of_fake, strict=True)]
        loss, metrics = torch.stack(losses).sum(), {}
        if self.config.duel != "none":
            duel = self._duel([torch.cat(outputs) for outputs in zip(of_real, of_fake, strict=True)])
            weighted = self.config.beta * self._bump() * duel
            loss = loss + (weighted if self.config.duel == "as_written" else weighted.detach())
            metrics["duel"] = duel.detach() / 2
        update(self.discriminator_optimizer, loss)
        outputs = self._mean_outputs(torch.cat(of_real), torch.cat(of_fake))
        return {"loss_discriminator": loss.detach() / 2, **outputs, **metrics}

    def _duel(self, logits: list[Tensor]) -> Tensor:
        """The terms of both discriminators, about the same mixes."""
        size = self.config.batch_size
        first, second, third = (draw_mix(size, self.rng) for _ in range(3))
        alpha = self.config.alpha * self._bump()
        terms = [duel_term(own, peer, (first, second, third), alpha) for own, peer in (logits, logits[::-1])]
        return torch.stack(terms).sum()

    def _bump(self) -> float:
        return bump(min(1.0, self.round / self.config.duel_rounds))

    def _generator_loss(self, generated: Tensor) -> Tensor:
        losses = [self.loss.generator(self._judge(generated, network)) for network in self._discriminators()]
        return torch.stack(losses).mean()

    def score(self, x: Tensor) -> Tensor:
        """The mean of both discriminators' outputs, `(n,)`."""
        return torch.stack([self._logits_by(network, x) for network in self._discriminators()]).mean(0)

    def networks(self) -> dict[str, nn.Module]:
        """The generator and both discriminators."""
        return {**super().networks(), "second_discriminator": self.second_discriminator}
