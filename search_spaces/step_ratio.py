"""Which loss, which ratio of the two networks' updates, at which learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from search_spaces import published_gan as published
from search_spaces.claim import Claim, Group
from search_spaces.gan_scales import RATE_RANGE, RATES, SCALES
from search_spaces.space import Epochs, FirstTrial, Scale, SearchSpace, Suggestion

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

LOSSES = (*published.DCGAN_LOSSES, "hinge", "wasserstein")
"""The losses of the exercise, and two later ones."""

MAX_STEPS = 5

PUBLISHED_LEADS = (0, -2)
"""The exercise's ratios: 1:1 and 1:3."""

CLOSE = 2.0
"""The exercise judges by eye: "also very good" beside "unclear and distorted". Reading: a factor of 2, which is little
beside one of 30 and more between the distances of noise and of test images."""


# On 28x28 images the DCGAN is the plain residual network `M0_B`, so the small digits are made with this network.
PLAIN = {"latent": published.DCGAN["latent"], "weight_decay": published.DCGAN["weight_decay"]}


class StepRatio(SearchSpace):
    """[Halbreich 2023], question 1: loss and ratio of updates, and two later losses."""

    name = "step_ratio"
    description = "DCGAN: loss, ratio of generator's to discriminator's updates, learning rate"
    method = "gan"
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": replace(SCALES["smoke"], fixed={**SCALES["smoke"].fixed, **PLAIN}),
        "laptop": replace(SCALES["laptop"], trials=12, seeds=3, fixed={**SCALES["laptop"].fixed, **PLAIN}),
        "paper": replace(
            SCALES["paper"],
            # Reading: an iteration of the exercise has one update of G and three of D, and an epoch has as many
            # iterations as batches at either ratio. So 15 epochs of MNIST are 7,035 updates of G. D gets a new batch
            # for each of its updates, and sees the data 45 times at 1:3.
            rounds=Epochs(published.DCGAN_EPOCHS),
            evaluate_every=Epochs(1),
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
                # The gradient penalty of the Wasserstein loss excludes BatchNorm in D.
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
            for lead in PUBLISHED_LEADS
            for loss in published.DCGAN_LOSSES
        ]

    def claims(self) -> list[Claim]:
        """About the first trials, which have one rate."""
        source = "[Halbreich 2023], question 1"
        saturating, non_saturating, l2 = map(self._published, published.DCGAN_LOSSES)
        return [
            Claim(
                "The non-saturating loss gives better images than the saturating loss.",
                source,
                "fid_best",
                lower=non_saturating,
                higher=saturating,
            ),
            Claim(
                "Least squares give better images than the saturating loss.",
                source,
                "fid_best",
                lower=l2,
                higher=saturating,
            ),
            Claim(
                "Least squares give about as good images as the non-saturating loss: their Frechet distances differ by "
                "less than a factor of 2.",
                source,
                "fid_best",
                lower=non_saturating,
                higher=l2,
                margin=CLOSE,
                compared_by="ratio",
            ),
            Claim(
                "The non-saturating loss gives better images than least squares.",
                source,
                "fid_best",
                lower=non_saturating,
                higher=l2,
            ),
            Claim(
                "With the saturating loss, the discriminator's loss falls further, to 0, than with the non-saturating "
                "loss.",
                source,
                "loss_discriminator",
                lower=saturating,
                higher=non_saturating,
            ),
            Claim(
                "With the saturating loss, the discriminator's loss is lower in the first third of the training than "
                "with the non-saturating loss.",
                source,
                "loss_discriminator",
                lower=saturating,
                higher=non_saturating,
                curve="early",
            ),
            Claim(
                "The generator's saturating loss rises from negative values towards 0.",
                source,
                "loss_generator",
                lower=0.0,
                higher=saturating,
                curve="rise",
            ),
        ]

    def _published(self, loss: str) -> Group:
        """The trials with the exercise's rate and ratios of steps."""
        rate = RATES[self.scale_name]
        return lambda params: (
            params["loss"] == loss and params["learning_rate"] == rate and params["lead"] in PUBLISHED_LEADS
        )
