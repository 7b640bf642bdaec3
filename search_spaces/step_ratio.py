"""Which loss, how many updates of one network for one of the other, at which learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, get_args

from optuna.trial import BaseTrial

from search_spaces import depth
from search_spaces import published_gan as published
from search_spaces.space import Claim, FirstTrial, Group, Scale, SearchSpace
from trainables.adversarial_losses import LossName

MAX_STEPS = 5
BATCHES_OF_MNIST = 469
"""Batches of 128 in an epoch."""

# On 28x28 images the DCGAN is the plain residual network `M0_B`, so that is what the small digits are made with.
PLAIN = {"latent": published.DCGAN["latent"], "weight_decay": published.DCGAN["weight_decay"]}


class StepRatio(SearchSpace):
    """Exercise of 2023 on GANs, question 1: loss and ratio of steps, and the losses that came later."""

    name = "step_ratio"
    description = "DCGAN: loss, ratio of generator's to discriminator's updates, learning rate"
    method = "gan"
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": replace(depth.SCALES["smoke"], fixed={**depth.SCALES["smoke"].fixed, **PLAIN}),
        "laptop": replace(depth.SCALES["laptop"], trials=18, fixed={**depth.SCALES["laptop"].fixed, **PLAIN}),
        "paper": replace(
            depth.SCALES["paper"],
            rounds=published.DCGAN_EPOCHS * BATCHES_OF_MNIST,
            evaluate_every=BATCHES_OF_MNIST,
            fixed=published.DCGAN,
        ),
    }

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """`lead` is the generator's updates minus the discriminator's: -4 is a ratio of 1:5, 4 one of 5:1."""
        loss = trial.suggest_categorical("loss", get_args(LossName))
        lead = trial.suggest_int("lead", 1 - MAX_STEPS, MAX_STEPS - 1)
        rate = trial.suggest_float("learning_rate", *depth.RATE_RANGE, log=True)
        return {
            "loss": loss,
            # The gradient penalty of the Wasserstein loss does not go with it.
            "batch_norm": "generator" if loss == "wasserstein" else "both",
            "g_steps": 1 + max(0, lead),
            "d_steps": 1 + max(0, -lead),
            "generator_lr": rate,
            "discriminator_lr": rate,
        }

    def first_trials(self) -> list[FirstTrial]:
        """The exercise's three losses at 1:1, then at 1:3."""
        return [
            FirstTrial(
                f"{loss}, 1:{1 - lead}",
                {"loss": loss, "lead": lead, "learning_rate": depth.RATES[self.scale_name]},
            )
            for lead in (0, -2)
            for loss in published.DCGAN_LOSSES
        ]

    def claims(self) -> list[Claim]:
        source = "exercise of 2023 on GANs, question 1"
        others = _with_loss("non_saturating", "l2")
        saturating = _with_loss("saturating")
        return [
            Claim("The saturating loss fails.", source, "fid_lenet_best", lower=others, higher=saturating),
            Claim(
                "With it, the discriminator's loss goes to 0.",
                source,
                "loss_discriminator",
                lower=saturating,
                higher=_with_loss("non_saturating"),
            ),
            Claim(
                "The non-saturating loss is the best, least squares come close.",
                source,
                "fid_lenet_best",
                lower=_with_loss("non_saturating"),
                higher=_with_loss("saturating", "l2"),
            ),
        ]


def _with_loss(*losses: str) -> Group:
    return lambda params: params["loss"] in losses
