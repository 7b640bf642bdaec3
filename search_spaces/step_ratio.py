"""Which loss, how many updates of one network for one of the other, at which learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from search_spaces import published_gan as published
from search_spaces.claim import Claim, where
from search_spaces.gan_scales import RATE_RANGE, RATES, SCALES
from search_spaces.space import FirstTrial, Scale, SearchSpace, Suggestion

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

LOSSES = (*published.DCGAN_LOSSES, "hinge", "wasserstein")
"""The losses of the exercise, and those that came later."""

MAX_STEPS = 5
BATCHES_OF_MNIST = 469
"""Batches of 128 in an epoch."""

# On 28x28 images the DCGAN is the plain residual network `M0_B`, so that is what the small digits are made with.
PLAIN = {"latent": published.DCGAN["latent"], "weight_decay": published.DCGAN["weight_decay"]}


class StepRatio(SearchSpace):
    """[Halbreich 2023], question 1: loss and ratio of steps, and the losses that came later."""

    name = "step_ratio"
    description = "DCGAN: loss, ratio of generator's to discriminator's updates, learning rate"
    method = "gan"
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": replace(SCALES["smoke"], fixed={**SCALES["smoke"].fixed, **PLAIN}),
        "laptop": replace(SCALES["laptop"], trials=18, fixed={**SCALES["laptop"].fixed, **PLAIN}),
        "paper": replace(
            SCALES["paper"],
            rounds=published.DCGAN_EPOCHS * BATCHES_OF_MNIST,
            evaluate_every=BATCHES_OF_MNIST,
            fixed=published.DCGAN,
        ),
    }

    def suggest(self, trial: BaseTrial) -> Suggestion:
        """`lead` is the generator's updates minus the discriminator's: -4 is a ratio of 1:5, 4 one of 5:1."""
        loss = trial.suggest_categorical("loss", LOSSES)
        lead = trial.suggest_int("lead", 1 - MAX_STEPS, MAX_STEPS - 1)
        rate = trial.suggest_float("learning_rate", *RATE_RANGE, log=True)
        return Suggestion(
            {
                "loss": loss,
                # The gradient penalty of the Wasserstein loss does not go with it.
                "batch_norm": "generator" if loss == "wasserstein" else "both",
                "g_steps": 1 + max(0, lead),
                "d_steps": 1 + max(0, -lead),
                "generator_lr": rate,
                "discriminator_lr": rate,
            }
        )

    def first_trials(self) -> list[FirstTrial]:
        """The exercise's three losses at 1:1, then at 1:3."""
        return [
            FirstTrial(
                f"{loss}, 1:{1 - lead}",
                {"loss": loss, "lead": lead, "learning_rate": RATES[self.scale_name]},
            )
            for lead in (0, -2)
            for loss in published.DCGAN_LOSSES
        ]

    def claims(self) -> list[Claim]:
        source = "[Halbreich 2023], question 1"
        saturating, non_saturating = where(loss="saturating"), where(loss="non_saturating")
        return [
            Claim(
                "The saturating loss gives worse images than the non-saturating loss and least squares.",
                source,
                "fid_best",
                lower=lambda params: params["loss"] in ("non_saturating", "l2"),
                higher=saturating,
            ),
            Claim(
                "The discriminator's loss falls further, to 0, with the saturating loss than with the non-saturating.",
                source,
                "loss_discriminator",
                lower=saturating,
                higher=non_saturating,
            ),
            Claim(
                "The non-saturating loss gives better images than the saturating loss and least squares.",
                source,
                "fid_best",
                lower=non_saturating,
                higher=lambda params: params["loss"] in ("saturating", "l2"),
            ),
        ]
